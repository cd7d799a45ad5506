/* The table of commands: what `avout help` shows, in its order. */
#include "cli.h"

#include <string.h>

static const cli_command commands[] = {
    {"get", "NAME [NAME...]", "print values",
     "Prints the value of each name in a line of its own. Several names are read together, at one\n"
     "point in time; if one of them does not exist nothing is printed.\n"
     "\n"
     "  avout get /app/config\n"
     "  avout get --json /app/config | jq .port\n"
     "  avout get --strict /bank/ann /bank/bob\n"
     "  avout get --codec json /app/public\n"
     "  avout get --codec bytes --raw /app/logo > logo.png\n",
     CLI_OUTPUT | CLI_STRICT | CLI_CODEC, 1, -1, cli_get, 0},
    {"reset", "NAME EDN", "set a value, creating the name if it is absent",
     "EDN is the new value; - reads it from standard input. Prints nothing. With --codec it lies "
     "in\n"
     "the store as JSON, or as the bytes of #avout/bytes \"BASE64\", for programs without this "
     "library;\n"
     "everybody who uses the name then gives the same.\n"
     "\n"
     "  avout reset /app/config '{:port 8080, :hosts [\"a\" \"b\"]}'\n"
     "  avout reset --new /app/counter 0 || echo 'was there already'\n"
     "  avout reset --existing /app/config - < config.edn\n"
     "  avout reset --codec json /app/public '{\"port\" 8080}'\n"
     "  avout reset --codec bytes /app/logo - < logo.png\n",
     CLI_EXISTING | CLI_NEW | CLI_CODEC, 2, 2, cli_reset, 0},
    {"swap", "NAME FUNCTION [EDN...]", "change a value by a function of it, exactly once",
     "The value becomes (FUNCTION value EDN...), as Clojure's swap! does it, whoever else changes "
     "it\n"
     "at the same time. Prints the new value. `avout help functions` lists the functions.\n"
     "FUNCTION may also be written, in the language of `avout eval`.\n"
     "\n"
     "  avout swap /app/counter inc --init 0\n"
     "  avout swap /app/queue conj 5\n"
     "  avout swap /app/config assoc-in '[:limits :cpu]' 4\n"
     "  avout swap /app/counter + -5 --old\n"
     "  avout swap /app/config '(fn [m k] (update-in m [k :n] (fnil inc 0)))' :cpu\n",
     CLI_OUTPUT | CLI_OLD | CLI_INIT | CLI_CODEC, 2, -1, cli_swap, 0},
    {"cas", "NAME EXPECTED NEW", "set a value if it is the expected one",
     "Compares with Clojure's = and sets in one step. Prints nothing; the exit status is 0 when "
     "the\n"
     "value was set and 1 when another one was there. EXPECTED and NEW are EDN; one of them may be "
     "-\n"
     "for standard input.\n"
     "\n"
     "  avout cas /app/leader nil '\"host-7\"'\n"
     "  avout cas -q /app/state :idle :running && run-the-job\n",
     CLI_QUIET | CLI_CODEC, 3, 3, cli_cas, 0},
    {"watch", "NAME [--exec COMMAND]", "print a value whenever it changes",
     "Prints the new value after every change, a line each, at once. Changes that follow each "
     "other\n"
     "faster than they can be read may be shown as one; the last one always is. When the name is\n"
     "removed, a note goes to standard error and watching goes on. Ends with status 0 after "
     "--count\n"
     "changes, when it is interrupted or told to end, and when nobody reads its output any more.\n"
     "\n"
     "With --exec nothing is printed: the shell's COMMAND is run for each change, one run\n"
     "after the other. The new value is its standard input and, like the name and the value\n"
     "before, in its environment: AVOUT_VALUE, AVOUT_NAME, AVOUT_OLD; values of more than\n"
     "100 KiB are not. What stands behind NAME are its arguments $1, $2 ... When it fails that\n"
     "is told on standard error and watching goes on; the status at the end is 1 then. A signal\n"
     "that ends avout goes to the command, too; what is left of it after --kill-after gets KILL.\n"
     "\n"
     "  avout watch --initial /app/config\n"
     "  avout watch --count 1 /app/ready && ./start\n"
     "  avout watch --json /app/config | while read -r line; do reload \"$line\"; done\n"
     "  avout watch /app/config --exec 'cat > app.edn && systemctl reload app'\n"
     "  avout watch --raw /app/state --exec 'mail -s \"$AVOUT_NAME: $AVOUT_OLD, now $AVOUT_VALUE\" "
     "ann'\n",
     CLI_OUTPUT | CLI_CODEC | CLI_COUNT | CLI_INITIAL | CLI_EXEC | CLI_KILL_AFTER, 1, -1, cli_watch,
     0},
    {"ls", "[DIR]", "list names",
     "Prints the names directly below DIR (/ when it is left out), sorted, a line each; a name "
     "that\n"
     "ends with a slash is a directory.\n"
     "\n"
     "  avout ls\n"
     "  avout ls /app\n"
     "  avout ls --json /app | jq -r '.[]'\n",
     CLI_JSON | CLI_ALL, 0, 1, cli_ls, 0},
    {"tree", "[DIR]", "show all names below a directory, with their values",
     "On a terminal, long values are cut at its edge. With --json: one object from names to "
     "values.\n"
     "Each value is read on its own; `avout get` reads several at one point in time.\n"
     "\n"
     "  avout tree\n"
     "  avout tree --no-values /app\n"
     "  avout tree --json / > copy.json\n",
     CLI_JSON | CLI_NO_VALUES, 0, 1, cli_tree, 0},
    {"top", "[DIR]", "show which names change, how often, and who wants them",
     "A live table of the names below DIR (/ when it is left out), looked at again every second:\n"
     "\n"
     "  CHANGES/S    changes a second since the last look; several that one client commits\n"
     "               at the same time count as one\n"
     "  LAST CHANGE  by the store's clock\n"
     "  WATCHERS     clients that would hear of a change; - where the store cannot tell, as\n"
     "               neither ZooKeeper nor the embedded store can\n"
     "  QUEUE        clients that queue to write it\n"
     "  LOCK         the lock of that name: how many hold it (r: to read) and + how many wait\n"
     "\n"
     "Keys: q ends; n c t w u l sort by name, changes, time, watchers, queue, lock; r the other "
     "way\n"
     "round; / filters by a part of the name; arrows, Page Up and Down, Home and End move; + and "
     "-\n"
     "change the interval. What is not on the screen is looked at in turn, a part each time. When "
     "the\n"
     "store is lost the table stays and says so until it is back.\n"
     "\n"
     "With --once --json one document: {\"store\", \"directory\", \"time_ms\", \"interval_ms\",\n"
     "\"names\": [{\"name\", \"value\", \"error\", \"version\", \"changes_per_second\", "
     "\"changed_ms\",\n"
     "\"size\", \"watchers\", \"queue\", \"lock\": {\"holders\", \"waiting\", \"shared\"}}]}; what "
     "is not known\n"
     "is null. --no-values reads none: value is null, too.\n"
     "\n"
     "  avout top\n"
     "  avout top --sort changes --interval 200ms /app\n"
     "  avout top --once --json | jq -r '.names[] | select(.changes_per_second > 10) | .name'\n",
     CLI_JSON | CLI_NO_VALUES | CLI_TOP, 0, 1, cli_top, 0},
    {"rm", "NAME [NAME...]", "remove names and their values, for everybody",
     "Goes on with the other names when one does not exist. A directory is only removed with -r,\n"
     "which prints every name it removes; the top directory / never is.\n"
     "\n"
     "  avout rm /app/old-counter\n"
     "  avout rm -rn /app/jobs\n"
     "  avout rm -r /app/jobs\n",
     CLI_RECURSIVE | CLI_DRY_RUN | CLI_FORCE, 1, -1, cli_rm, 0},
    {"gc", "[NAME [NAME...]]", "find what dead writers have left behind, and delete it",
     "Looks at the names and below them, at all when there is none, for values that nothing leads "
     "to:\n"
     "in the containers of those whose values are in one, and among the pieces of large values in "
     "the\n"
     "store. Prints a line for each name that has some, or has its values in a container: how "
     "many, in\n"
     "which kind of container (chunks: in the store), the name; last how many in all. Nothing is "
     "deleted\n"
     "without --delete. Safe while others work: at most a transaction runs again. Clients do the "
     "same by\n"
     "themselves now and then for what they have open.\n"
     "\n"
     "The store does not know where containers are; --container says it, for the names whose "
     "values it\n"
     "has. Those with none that fits are listed with what is missing.\n"
     "\n"
     "  avout gc\n"
     "  avout gc --container file:/srv/plans --container mongo:mongodb://db/app.members\n"
     "  avout gc --delete --json /app\n",
     CLI_JSON | CLI_GC, 0, -1, cli_gc, 0},
    {"eval", "FORMS | -f FILE [ARGUMENT...]", "run a program in Clojure's syntax",
     "Evaluates FORMS and prints the value of the last one, unless it is nil. With -f the program "
     "is\n"
     "in a file, and nothing is printed but what it prints itself. What stands behind is the\n"
     "program's: the strings in *command-line-args*. The language is Clojure's core as far as it\n"
     "deals with data, with (connect), (atom NAME), (ref NAME), swap!!, dosync!! and their kin for "
     "what\n"
     "is in the store; (System/exit N) ends with status N, (slurp FILE) and (spit FILE TEXT) read "
     "and\n"
     "write a file, (System/getenv NAME) the environment. --steps N ends a program that does not "
     "end by\n"
     "itself, with status 4. Errors tell line, column and form.\n"
     "\n"
     "  avout eval '(reduce + (range 10))'\n"
     "  avout eval '(map inc (map parse-long *command-line-args*))' 1 2 3\n"
     "  avout eval --json '{:a (group-by odd? [1 2 3])}'\n"
     "  avout eval '(swap!! (atom \"/app/config\") update :port inc)'\n"
     "  avout eval -f report.clj /app\n"
     "\n"
     "A file that begins with the line  #!/usr/bin/env -S avout eval -f  is a command of its "
     "own.\n",
     CLI_OUTPUT | CLI_FILE | CLI_STEPS, 1, -1, cli_eval, 1},
    {"dosync", "FORMS [ARGUMENT...]", "run a program as one transaction",
     "What the forms change in refs happens at one point in time, for everybody, or not at all. "
     "They\n"
     "may be run several times, until nobody has changed what they read: they should do nothing\n"
     "else. Prints the value of the last form, unless it is nil. (ref NAME) is the ref of that "
     "name,\n"
     "(ref NAME VALUE) makes it if it does not exist. The language is that of `avout eval`.\n"
     "\n"
     "  avout dosync '(alter!! (ref \"/bank/ann\") - 10) (alter!! (ref \"/bank/bob\") + 10)'\n"
     "  avout dosync '(let [jobs (ref \"/jobs\")] (if (seq @jobs) (peek (alter!! jobs pop)) "
     "(retry!!)))'\n",
     CLI_OUTPUT | CLI_STEPS, 1, -1, cli_dosync, 1},
    {"repl", "", "type forms in Clojure's syntax and see their values",
     "A shell of the language of `avout eval`. (connect) is the command's store; *1 *2 *3 are the "
     "last "
     "values,\n"
     "*e is the last error; (doc NAME) and (apropos \"PART\") explain. An unfinished form goes on "
     "in the "
     "next\n"
     "line. TAB completes names of the language, of the program and, in a string that begins with "
     "a "
     "slash,\n"
     "of the store. Ctrl-C interrupts what runs or waits, or drops the line; Ctrl-D, (exit) and "
     "(quit) "
     "end.\n"
     "The history is kept in the file of AVOUT_HISTORY (empty: nowhere), else in the state "
     "directory,\n"
     "~/.local/state/avout/history.\n"
     "\n"
     "Where standard input is no terminal each form is evaluated as it comes and its value "
     "printed, one "
     "a\n"
     "line. The first error ends it, with status 1; with --keep-going it goes on, and ends with 1 "
     "at the "
     "end.\n"
     "\n"
     "  avout repl\n"
     "  avout -s zk://127.0.0.1:2181 repl -q\n"
     "  echo '(+ 1 2) (swap!! (atom \"/app/hits\" 0) inc)' | avout repl\n",
     CLI_QUIET | CLI_KEEP_GOING | CLI_STEPS, 0, 0, cli_repl, 0},
    {"lock", "NAME [--] COMMAND [ARGUMENT...]", "run a command while holding a lock",
     "Waits for the lock, runs the command, gives the lock back; for as long as it takes unless\n"
     "--timeout says how long to wait for the lock. The command finds the fencing token of its\n"
     "hold in AVOUT_LOCK_TOKEN: tokens of later holds sort behind those of earlier ones, so "
     "whoever\n"
     "keeps what the lock guards can refuse a holder that has been overtaken. Signals go on to "
     "the\n"
     "command. If the lock is lost (the session with ZooKeeper has ended), the command and\n"
     "everything it has started get TERM, and after --kill-after KILL.\n"
     "\n"
     "Exit status: that of the command (128 and the signal's number if one ended it), or\n"
     "   75  the lock was not obtained (-E sets another)\n"
     "   76  the lock was lost, and the command was ended\n"
     "  125  something else kept the command from running\n"
     "  126  the command cannot be run\n"
     "  127  there is no such command\n"
     "\n"
     "  avout lock /site/deploy -- ./deploy.sh\n"
     "  avout lock --try -E 0 /site/backup -- ./backup.sh     # one of the machines does it\n"
     "  avout lock --timeout 10s --read /site/data -- tar c data\n",
     CLI_LOCKING | CLI_KILL_AFTER, 2, -1, cli_lock, 1},
    {"locks", "[NAME]", "list locks, who holds them and who waits",
     "Shows the locks at and below NAME (/ when it is left out): for each its holders and, in "
     "their\n"
     "order, those who wait, with host, process and since when. A lock that nobody wants is shown\n"
     "with --all only.\n"
     "\n"
     "  avout locks\n"
     "  avout locks /site/deploy\n"
     "  avout locks --json | jq '.[].holders[].pid'\n",
     CLI_JSON | CLI_ALL, 0, 1, cli_locks, 0},
    {"complete", "-- WORD...", "print what may stand at the end of a command line, for shells",
     "The words are those behind avout so far, the last of them the one to complete; it may be\n"
     "empty. Prints a line for each candidate and, behind a tab, what it is; :files and :commands\n"
     "where the shell knows better. The completions for bash, zsh and fish are made of it.\n"
     "\n"
     "  avout complete -- get /app/\n",
     0, 0, -1, cli_complete, 0},
    {"help", "[COMMAND | functions]", "explain a command, or the functions swap knows",
     "\n"
     "  avout help swap\n"
     "  avout help functions\n",
     0, 0, 1, cli_help, 0},
};

const cli_command *cli_command_at(size_t index)
{
    return index < sizeof commands / sizeof *commands ? &commands[index] : NULL;
}

const cli_command *cli_command_find(const char *name)
{
    for (size_t i = 0; cli_command_at(i); i++)
        if (!strcmp(commands[i].name, name)) return &commands[i];
    return NULL;
}
