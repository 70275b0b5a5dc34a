"""Each rule of tools/tidy finds what it is there for, and is silent about the same tree without the fault."""

import importlib.machinery
import importlib.util
import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
LOADER = importlib.machinery.SourceFileLoader("tidy", str(pathlib.Path(__file__).with_name("tidy")))
tidy = importlib.util.module_from_spec(importlib.util.spec_from_loader("tidy", LOADER))
LOADER.exec_module(tidy)

TABLE = """
| layer | module | charter | may include |
|---|---|---|---|
| 0 | `base` | words | – |
| 0 | `data` | shapes | base |
| 1 | `postgres` | PostgreSQL | base, data |
| 1 | `bigquery` | BigQuery | base, data |
| 2 | `pipeline` | runs | base, data |
| 4 | `app` | wires | everything |
"""
GOOD = {
    "ARCHITECTURE.md": TABLE,
    "docs/guarantees.md": "1. **One.** a\n2. **Two.** b\n",
    "tests/scenario/01_one_test.py": "import unittest\n",
    "tests/scenario/02_two_test.py": "import unittest\n",
    "tools/tidy_exceptions.txt": "",
    "src/base/result.h": "#pragma once\n#include <string>\n",
    "src/base/clock.cc": "auto t = std::chrono::steady_clock::now();\n",
    "src/data/type.h": '#pragma once\n#include "base/result.h"\n',
    "src/postgres/client.h": '#pragma once\n#include "data/type.h"\n',
    "src/postgres/client.cc": '#include <libpq-fe.h>\n#include <sys/socket.h>\n#include "postgres/internal/frame.h"\n',
    "src/postgres/internal/frame.h": "#pragma once\n",
    "src/postgres/client_test.cc": "#include <gtest/gtest.h>\n",
    "src/bigquery/client.cc": '#include <curl/curl.h>\n#include <google/cloud/x.pb.h>\n',
    "src/pipeline/run.cc": '#include "base/result.h"\n',
    "src/pipeline/CMakeLists.txt": "flytt_module(pipeline DEPENDS flytt_base flytt_data)\n",
    "src/app/main.cc": '#include "postgres/client.h"\nauto t = std::chrono::system_clock::now();\n',
    "fuzz/frame_fuzz.cc": '#include "postgres/internal/frame.h"\n',
}


def findings(changes, checks=tidy.CHECKS):
    with tempfile.TemporaryDirectory() as folder:
        for path, text in {**GOOD, **changes}.items():
            if text is not None:
                file = pathlib.Path(folder, path)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text)
        tree = tidy.Tree(folder)
        return [finding for check in checks for finding in check(tree)]


def function(lines, head="int f(int x) {"):
    return head + "\n" + "  x += 1;\n" * (lines - 2) + "}\n"


class TidyTest(unittest.TestCase):
    def expect(self, changes, sentence):
        found = findings(changes)
        self.assertEqual(len(found), 1, found)
        self.assertIn(sentence, found[0])

    def expect_none(self, changes):
        self.assertEqual(findings(changes), [])

    def test_a_good_tree_has_no_findings(self):
        self.expect_none({})

    def test_a_folder_that_is_not_in_the_table(self):
        self.expect({"src/kafka/client.h": "#pragma once\n"}, "src/kafka is not in the module table")

    def test_a_module_of_the_table_without_a_folder(self):
        self.expect({"ARCHITECTURE.md": TABLE + "| 1 | `state` | progress | base |\n"}, "state of the table has no folder")

    def test_a_table_that_lets_a_lower_module_include_a_higher_one(self):
        self.expect({"ARCHITECTURE.md": TABLE.replace("shapes | base |", "shapes | base, pipeline |")}, "of the higher layer 2")

    def test_a_lower_module_includes_a_higher_one(self):
        self.expect({"src/base/x.cc": '#include "data/type.h"\n'}, "base may not include data")

    def test_connectors_do_not_meet(self):
        self.expect({"src/bigquery/x.cc": '#include "postgres/client.h"\n'}, "bigquery may not include postgres")

    def test_a_private_header_of_another_module(self):
        self.expect({"src/app/x.cc": '#include "postgres/internal/frame.h"\n'}, "is private to postgres")

    def test_a_private_header_in_a_test_outside_of_the_module(self):
        self.expect({"tests/x_test.cc": '#include "postgres/internal/frame.h"\n'}, "is private to postgres")

    def test_an_include_that_does_not_start_at_src(self):
        self.expect({"src/postgres/x.cc": '#include "client.h"\n'}, "by its path from src/")

    def test_tests_share_headers_among_themselves(self):
        self.expect_none({"tests/a/x.h": "#pragma once\n", "tests/a/x_test.cc": '#include "x.h"\n#include "tests/a/x.h"\n'})
        self.expect({"src/data/x.cc": '#include "tests/a/x.h"\n'}, "does not know")

    def test_a_link_that_the_table_does_not_allow(self):
        self.expect({"src/pipeline/CMakeLists.txt": "flytt_module(pipeline DEPENDS flytt_base flytt_postgres)\n"},
                    "pipeline may not link postgres")

    def test_foreign_headers_stay_in_their_module(self):
        for header in ("libpq-fe.h", "duckdb.h", "grpcpp/grpcpp.h", "google/rpc/status.pb.h", "sqlite3.h", "jni.h", "CLI/CLI.hpp"):
            with self.subTest(header):
                self.expect({"src/pipeline/x.cc": f"#include <{header}>\n"}, "belongs to")

    def test_a_foreign_header_in_quotes(self):
        self.expect({"src/pipeline/x.cc": '#include "google/rpc/status.pb.h"\n'}, "belongs to")

    def test_a_foreign_header_in_a_public_header(self):
        self.expect({"src/postgres/x.h": "#pragma once\n#include <libpq-fe.h>\n"}, "in a public header")
        self.expect_none({"src/postgres/internal/x.h": "#pragma once\n#include <libpq-fe.h>\n"})

    def test_a_library_that_nobody_decided_on(self):
        self.expect({"src/data/x.cc": "#include <arrow/api.h>\n"}, "a dependency needs a decision")

    def test_gtest_only_in_tests(self):
        self.expect({"src/data/x.cc": "#include <gtest/gtest.h>\n"}, "a dependency needs a decision")

    def test_a_file_that_is_too_long(self):
        self.expect({"src/data/x.cc": "int a;\n" * 601}, "the file has 601 lines")
        self.expect_none({"src/data/x.cc": "int a;\n" * 600})

    def test_a_long_corpus_is_not_code(self):
        self.expect_none({"fuzz/corpus/frame/long.py": "a\n" * 601})

    def test_functions_that_are_too_long(self):
        for head in ("int f(int x) {", "TEST(Suite, case) {", "Foo::Foo(int x) : a_(x), b_{x} {", "template <typename T>\nauto f(T x) -> int {",
                     "namespace a { class B { void f() const {", "bool A::operator==(const A& x) const {"):
            with self.subTest(head):
                tail = "}; }\n" if head.startswith("namespace") else ""
                body = function(71 - head.count("\n"), head) + tail
                self.expect({"src/data/x.cc": body}, "71 lines (at most 70)")
                self.expect_none({"src/data/x.cc": function(70 - head.count("\n"), head) + tail})

    def test_a_long_table_is_not_a_function(self):
        self.expect_none({"src/data/x.cc": "const Row kRows[] = {\n" + "  Row(1),\n" * 90 + "};\nstruct S {\n" + "  int a;\n" * 90 + "};\n"})

    def test_braces_in_text_do_not_count(self):
        self.expect_none({"src/data/x.cc": 'auto a = R"({{{)";\nchar b = \'{\';\nauto c = "}{";\n// }}}\n' + function(60)})

    def test_a_long_python_function(self):
        self.expect({"tests/support/x.py": "def f(x):\n" + "    x += 1\n" * 70}, "function f has 71 lines")

    def test_an_exception_covers_exactly_its_size(self):
        tree = {"src/data/x.cc": function(80)}
        self.expect({**tree, "tools/tidy_exceptions.txt": "79 src/data/x.cc f\n"}, "grew from 79 to 80")
        self.expect({**tree, "tools/tidy_exceptions.txt": "81 src/data/x.cc f\n"}, "write that size")
        self.expect_none({**tree, "tools/tidy_exceptions.txt": "# table\n80 src/data/x.cc f\n"})

    def test_an_exception_that_is_not_needed(self):
        self.expect({"tools/tidy_exceptions.txt": "80 src/data/x.cc f\n"}, "take the line away")

    def test_names_that_say_nothing(self):
        for path in ("src/data/util.cc", "src/data/internal/string_utils.cc", "tests/helpers/x.cc", "src/data/misc/x.cc", "bench/common.py"):
            with self.subTest(path):
                self.expect({path: ""}, "name the subject")

    def test_sleep_and_detach(self):
        self.expect({"src/data/x.cc": "thread.detach();\n"}, "never detached")
        self.expect({"src/data/x_test.cc": "std::this_thread::sleep_for(1s);\n"}, "no sleep")
        self.expect({"tests/support/x.py": "time.sleep(1)\n"}, "no sleep")
        self.expect_none({"src/data/x.cc": '// sleep_for\nauto a = "usleep";\n'})

    def test_time_outside_app(self):
        for call in ("std::chrono::steady_clock::now()", "clock_gettime(CLOCK_REALTIME, &t)", "gettimeofday(&t, 0)", "time(nullptr)", "base::SystemClock clock"):
            with self.subTest(call):
                self.expect({"src/data/x.cc": call + ";\n"}, "Clock")

    def test_chance_outside_app(self):
        for call in ("std::random_device seed", "rand()", "getrandom(p, 1, 0)"):
            with self.subTest(call):
                self.expect({"src/data/x.cc": call + ";\n"}, "rolls dice")

    def test_unfinished_work(self):
        word = "TO" + "DO"
        self.expect({"src/data/x.cc": f"// {word}: more\n"}, "finish it")
        self.expect({"README.md": "This is enough for" + " now.\n"}, "finish it")

    def test_a_header_without_pragma_once(self):
        self.expect({"src/data/x.h": "int a();\n"}, "#pragma once")

    def test_a_guarantee_without_a_scenario(self):
        self.expect({"docs/guarantees.md": "1. a\n2. b\n3. c\n"}, "guarantee 3 has no tests/scenario/03_")

    def test_a_scenario_without_a_guarantee(self):
        self.expect({"tests/scenario/03_three_test.py": ""}, "has no guarantee 3")

    def test_two_scenarios_of_one_number(self):
        self.expect({"tests/scenario/02_again_test.py": ""}, "more than one scenario")

    def test_a_guarantee_that_is_there_twice(self):
        self.expect({"docs/guarantees.md": "1. a\n2. b\n2. c\n"}, "is there twice")


if __name__ == "__main__":
    unittest.main()
