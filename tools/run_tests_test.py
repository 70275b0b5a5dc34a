"""Every way in which a test can go wrong is counted as a failure."""

import importlib.machinery
import importlib.util
import json
import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True


def load(name):
    loader = importlib.machinery.SourceFileLoader(name, str(pathlib.Path(__file__).with_name(name)))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


run_tests = load("run_tests")
second_opinion = load("second_opinion")


def report(*cases):
    return json.dumps({"testsuites": [{"testsuite": list(cases)}]})


GOOD = {"status": "RUN", "result": "COMPLETED"}
BAD = {"status": "RUN", "result": "COMPLETED", "failures": [{}]}
SKIPPED = {"status": "RUN", "result": "SKIPPED"}


class ProgramCounts(unittest.TestCase):
    def count(self, text, ended_well):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "x.json")
            if text is not None:
                path.write_text(text)
            counts = run_tests.count_program(path, ended_well)
            return counts.passed, counts.failed, counts.skipped

    def test_each_case_counts(self):
        self.assertEqual(self.count(report(GOOD, GOOD, BAD, SKIPPED), False), (2, 1, 1))

    def test_a_program_that_dies_after_its_report_fails(self):
        self.assertEqual(self.count(report(GOOD), False), (1, 1, 0))

    def test_a_program_without_a_report_is_one_case(self):
        self.assertEqual(self.count(None, True), (1, 0, 0))
        self.assertEqual(self.count(None, False), (0, 1, 0))

    def test_a_program_that_never_ran_fails(self):
        with tempfile.TemporaryDirectory() as folder:
            junit = pathlib.Path(folder, "ctest.xml")
            junit.write_text('<testsuite><testcase name="a_test" status="run"/><testcase name="b_test" status="fail"/></testsuite>')
            counts = run_tests.count_programs(["a_test", "b_test", "c_test"], junit, pathlib.Path(folder))
            self.assertEqual((counts.passed, counts.failed), (1, 2))


class FileCounts(unittest.TestCase):
    def run_file(self, text, seconds_max=30):
        with tempfile.TemporaryDirectory() as folder:
            path, result = pathlib.Path(folder, "x_test.py"), pathlib.Path(folder, "result.json")
            path.write_text("import unittest, os\nclass T(unittest.TestCase):\n" + text)
            command = [sys.executable, run_tests.__file__, "--file", str(path), "--result", str(result)]
            counts = run_tests.run_child(command, result, seconds_max, quiet=True)
            return counts.passed, counts.failed, counts.skipped

    def test_each_case_counts_once(self):
        self.assertEqual(self.run_file("""
    def test_good(self): pass
    def test_bad(self): self.fail()
    def test_error(self): raise KeyError
    @unittest.skip("because")
    def test_skipped(self): pass
    def test_two_bad_parts(self):
        for part in range(2):
            with self.subTest(part): self.fail()
"""), (1, 3, 1))

    def test_a_file_that_stops_the_interpreter_fails(self):
        self.assertEqual(self.run_file("    def test_x(self): os._exit(0)\n"), (0, 1, 0))

    def test_a_file_that_does_not_end_fails(self):
        self.assertEqual(self.run_file("    def test_x(self): os.read(os.pipe()[0], 1)\n", seconds_max=1), (0, 1, 0))

    def test_a_file_that_cannot_be_read_fails(self):
        self.assertEqual(self.run_file("    def test_x(self) pass\n"), (0, 1, 0))

    def test_a_file_without_a_case_fails(self):
        self.assertEqual(self.run_file("    pass\n"), (0, 1, 0))

    def test_a_class_that_cannot_start_fails(self):
        self.assertEqual(self.run_file("""
    @classmethod
    def setUpClass(cls): raise KeyError
    def test_x(self): pass
"""), (0, 1, 0))


class RecordedCounts(unittest.TestCase):
    def count(self, printed, status):
        counts = run_tests.count_recorded(printed, status)
        return counts.passed, counts.failed, counts.skipped

    def test_right_unsupported_and_wrong(self):
        self.assertEqual(self.count("x\nright 7, unsupported 1, refused 1, wrong 3\n7 passed, 5 failed\n", 1), (7, 3, 2))

    def test_a_runner_that_stops_early_fails(self):
        self.assertEqual(self.count("", 0), (0, 1, 0))
        self.assertEqual(self.count("right 7, unsupported 1, refused 1, wrong 0\n", 1), (7, 1, 2))


class SecondOpinion(unittest.TestCase):
    COMMAND = ("/usr/bin/cmake -E env A=b /usr/bin/ccache /usr/bin/c++ -DX=\\\"y\\\" -I/src -O2 -std=c++20 -Winvalid-pch "
               "-include /b/cmake_pch.hxx -o x.o -c /src/x.cc")

    def test_the_command_keeps_the_flags_and_loses_the_output(self):
        words = second_opinion.front_end_command({"command": self.COMMAND}, pathlib.Path("x.d"))
        self.assertEqual(words[:6], [second_opinion.CLANG, '-DX="y"', "-I/src", "-O2", "-std=c++20", "/src/x.cc"])
        self.assertIn("-fsyntax-only", words)

    def test_a_command_without_a_launcher(self):
        words = second_opinion.front_end_command({"command": "/usr/bin/c++ -I/src -c /src/x.cc"}, pathlib.Path("x.d"))
        self.assertEqual(words[:3], [second_opinion.CLANG, "-I/src", "/src/x.cc"])


if __name__ == "__main__":
    unittest.main()
