#include "support/clojure.h"

#include <stdlib.h>
#include <unistd.h>

#include "support/test.h"

#define JARS                                                                                       \
    "/usr/share/java/clojure.jar:/usr/share/java/spec.alpha.jar:"                                  \
    "/usr/share/java/core.specs.alpha.jar"

static const char prelude[] =
    "(require 'clojure.edn)\n"
    "(set! *print-namespace-maps* false)\n"
    "(defn unhex [s] (String. (byte-array (map (fn [[a b]] (unchecked-byte (Integer/parseInt (str "
    "a b) 16)))"
    " (partition 2 s))) \"UTF-8\"))\n"
    "(defn hex [s] (apply str (map #(format \"%02x\" (bit-and % 255)) (.getBytes s \"UTF-8\"))))\n";

FILE *clojure_questions(void)
{
    char path[4096];
    if (access("/usr/share/java/clojure.jar", R_OK)) test_skip("no /usr/share/java/clojure.jar");
    if (system("java -version > /dev/null 2>&1")) test_skip("no java");
    snprintf(path, sizeof path, "%s/questions", test_directory());
    FILE *questions = fopen(path, "w");
    CHECK(questions);
    return questions;
}

FILE *clojure_answers(FILE *questions, const char *script)
{
    const char *directory = test_directory();
    char command[8192];
    CHECK(!fclose(questions));
    snprintf(command, sizeof command, "%s/script.clj", directory);
    FILE *file = fopen(command, "w");
    CHECK(file && fputs(prelude, file) >= 0 && fputs(script, file) >= 0 && !fclose(file));
    /* Clojure's classes are as Debian has made them: checking them again takes a third of the time. */
    snprintf(command, sizeof command,
             "timeout 100 java -XX:+UnlockDiagnosticVMOptions -XX:-BytecodeVerificationRemote "
             "-Xshare:auto -XX:TieredStopAtLevel=1 -Dfile.encoding=UTF-8 -cp " JARS
             " clojure.main %s/script.clj < %s/questions > %s/answers",
             directory, directory, directory);
    CHECK_INT(0, system(command));
    snprintf(command, sizeof command, "%s/answers", directory);
    CHECK((file = fopen(command, "r")));
    return file;
}

void clojure_put_hex(FILE *file, const char *text)
{
    for (; *text; text++) fprintf(file, "%02x", (unsigned char)*text);
}

void clojure_take_hex(char *text, size_t size, const char *hex)
{
    size_t n = 0;
    unsigned byte;
    for (; n + 1 < size && sscanf(hex, "%2x", &byte) == 1; hex += 2) text[n++] = (char)byte;
    text[n] = '\0';
}
