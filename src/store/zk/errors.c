/* The library's and server's error codes as the port's. */
#include "store/zk/internal.h"

#include "base/banned.h"

avout_status avout__zk_status(int code)
{
    switch (code) {
    case ZOK: return AVOUT_OK;
    case ZNONODE: return AVOUT_ENOTFOUND;
    case ZNODEEXISTS: return AVOUT_EEXISTS;
    case ZBADVERSION: return AVOUT_EVERSION;
    case ZNOTEMPTY: return AVOUT_ENOTEMPTY;
    case ZNOCHILDRENFOREPHEMERALS: return AVOUT_EEPHEMERAL;
    case ZNOAUTH: return AVOUT_EPERM;
    case ZINVALIDACL:
    case ZAUTHFAILED:
    case ZSESSIONCLOSEDREQUIRESASLAUTH: return AVOUT_EAUTH;
    case ZSESSIONEXPIRED: return AVOUT_ESESSION;
    case ZBADARGUMENTS: return AVOUT_ENAME;
    case ZEPHEMERALONLOCALSESSION:
    case ZNOTREADONLY:
    case ZUNIMPLEMENTED: return AVOUT_ENOTSUP;
    case ZCLOSING: return AVOUT_ECLOSED;
    /* The request was not executed, and another attempt may well be. */
    case ZTHROTTLEDOP:
    case ZSESSIONMOVED:
    /* The library's, for all outstanding requests of a connection that broke. */
    case ZCONNECTIONLOSS:
    case ZOPERATIONTIMEOUT:
    case ZRUNTIMEINCONSISTENCY:
    case ZINVALIDSTATE: return AVOUT_ECONNECTION;
    case -125: return AVOUT_ENOSPACE; /* QUOTAEXCEEDED; the C header has no name for it */
    default: return AVOUT_EIO;
    }
}

bool avout__zk_refuses_operation(int code)
{
    switch (code) {
    case ZNONODE:
    case ZNODEEXISTS:
    case ZBADVERSION:
    case ZNOTEMPTY:
    case ZNOCHILDRENFOREPHEMERALS:
    case ZNOAUTH:
    case ZINVALIDACL:
    case ZBADARGUMENTS:
    case -125: return true; /* QUOTAEXCEEDED */
    default: return false;
    }
}

/* The server decides what it refuses before a transaction is made, in the one thread that decides. */
bool avout__zk_maybe_done(int code)
{
    if (avout__zk_refuses_operation(code)) return false;
    switch (code) {
    case ZEPHEMERALONLOCALSESSION:
    case ZNOTREADONLY:
    case ZUNIMPLEMENTED:
    case ZTHROTTLEDOP:
    case ZSESSIONMOVED: return false;
    /* From the server: refused by the session check, before anything else. From the library: it was
     * queued for a connection on which the session was found expired, and requests are written only
     * after that handshake; those written before were answered ZCONNECTIONLOSS when it broke. */
    case ZSESSIONEXPIRED: return false;
    default: return true;
    }
}

const char *avout__zk_reason(int code)
{
    switch (code) {
    case -125: return "quota exceeded";
    case ZNOAUTH: return "no permission";
    case ZBADARGUMENTS: return "refused by the server: invalid path";
    default: return zerror(code);
    }
}
