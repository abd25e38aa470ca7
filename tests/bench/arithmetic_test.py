# SPDX-License-Identifier: Apache-2.0
"""The benchmark's arithmetic."""

import unittest

import arithmetic
import instructions
import tables


class ArithmeticTest(unittest.TestCase):

    def test_a_spread_is_the_median_between_low_and_high(self):
        spread = arithmetic.Spread([3.0, 1.0, 2.0, 10.0])
        self.assertEqual((spread.low, spread.median, spread.high, spread.count),
                         (1.0, 2.5, 10.0, 4))
        with self.assertRaises(ValueError):
            arithmetic.Spread([])

    def test_ratios_are_taken_within_a_round(self):
        # The machine is three times slower in round 1: the ratio is not.
        tool, bare = {0: 2.2, 1: 6.6, 2: 2.4}, {0: 2.0, 1: 6.0, 2: 2.0}
        ratios = arithmetic.paired_ratios(tool, bare)
        self.assertEqual([round(ratio, 6) for ratio in ratios],
                         [1.1, 1.1, 1.2])

    def test_a_round_without_its_baseline_does_not_count(self):
        self.assertEqual(
            arithmetic.paired_ratios({0: 2.0, 1: 3.0, 2: 9.0}, {1: 2.0, 2: 0}),
            [1.5])

    def test_opposite_ratios_cancel_in_the_geometric_mean(self):
        self.assertAlmostEqual(arithmetic.geometric_mean([2.0, 0.5]), 1.0)
        self.assertAlmostEqual(arithmetic.geometric_mean([1.0, 2.0, 4.0]), 2.0)
        for figures in ([], [1.0, 0.0], [-1.0]):
            with self.assertRaises(ValueError):
                arithmetic.geometric_mean(figures)

    def test_every_tool_runs_first_once_in_as_many_rounds(self):
        tools = ["a", "b", "c"]
        orders = [arithmetic.rotated(tools, by) for by in range(4)]
        self.assertEqual(orders, [["a", "b", "c"], ["b", "c", "a"],
                                  ["c", "a", "b"], ["a", "b", "c"]])
        self.assertEqual(arithmetic.rotated([], 2), [])


class InstructionsTest(unittest.TestCase):

    def test_the_allowance_is_two_percent_and_one_instruction(self):
        judge = instructions.verdict
        self.assertEqual(judge(100.0, 103.0), "as expected")
        self.assertEqual(judge(100.0, 103.1), "more")
        self.assertEqual(judge(100.0, 97.0), "as expected")
        self.assertEqual(judge(100.0, 96.9), "fewer")
        self.assertEqual(judge(0.0, 1.0), "as expected")

    def test_rows_survive_being_written_and_read(self):
        rows = [instructions.Row("exact", "heapledger", 1234.5,
                                 {"HEAPLEDGER_STACK": "full"}),
                instructions.Row("null", "null", 6.0, {})]
        text = instructions.format_rows(rows)
        self.assertEqual(instructions.parse_rows(text), rows)

    def test_a_broken_row_is_refused_by_its_line(self):
        with self.assertRaisesRegex(ValueError, "line 2"):
            instructions.parse_rows("# comment\nexact heapledger many\n")


class TablesTest(unittest.TestCase):

    def test_columns_of_a_table_line_up(self):
        self.assertEqual(
            tables.markdown(["tool", "CPU"], [["null", "1.00"],
                                              ["exact", "1.5"]]),
            "| tool | CPU |\n|---|---|\n| null | 1.00 |\n| exact | 1.5 |\n")

    def test_a_section_is_replaced_between_its_marks_only(self):
        text = f"a\n{tables.BEGIN}\nold\n{tables.END}\nb\n"
        self.assertEqual(tables.replace_section(text, "new\n"),
                         f"a\n{tables.BEGIN}\nnew\n{tables.END}\nb\n")
        with self.assertRaises(ValueError):
            tables.replace_section("no marks", "new\n")


if __name__ == "__main__":
    unittest.main()
