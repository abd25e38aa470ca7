# SPDX-License-Identifier: Apache-2.0
"""The page in a browser: what a person does with it, and what must not happen.

HEAPLEDGER_SCREENSHOTS=DIR keeps pictures of what the tests see.
"""

import json
import os
import time
import unittest

import browser
from written import WrittenTest

BACKSPACE, ENTER, ESCAPE, LEFT, UP, RIGHT, DOWN = 8, 13, 27, 37, 38, 39, 40


@unittest.skipUnless(browser.BINARY,
                     "there is no chromium: apt-get install chromium")
class PageTest(WrittenTest):

    @classmethod
    def setUpClass(cls):
        cls.browser = browser.Browser()

    @classmethod
    def tearDownClass(cls):
        cls.browser.close()

    def setUp(self):
        super().setUp()
        self.browser.prefer("light")

    def open(self, stem):
        seconds = self.browser.open(self.path(stem, "html"))
        self.addCleanup(self.check_quiet)
        return seconds

    def check_quiet(self):
        """Nothing complained, and nothing was asked of the network."""
        self.assertEqual(self.browser.complaints, [])
        self.assertEqual([url for url in self.browser.requests
                          if not url.startswith("file://")], [])
        self.assertLessEqual(len(self.browser.requests), 1)

    def run_js(self, expression):
        return self.browser.run(expression)

    def text(self, stem, extension=None):
        if extension is not None:
            return super().text(stem, extension)
        return self.run_js(
            f"document.getElementById({json.dumps(stem)}).textContent")

    def type_into(self, name, text):
        self.run_js(f"""(() => {{
            const field = document.getElementById({json.dumps(name)});
            field.value = {json.dumps(text)};
            field.dispatchEvent(new Event('input'));
        }})()""")

    def choose(self, name, value):
        self.run_js(
            f"document.querySelector('input[name={name}][value={value}]')"
            ".click()")

    def canvas(self):
        """Left, top, width, height in the window."""
        self.run_js("window.scrollTo(0, 0)")
        return self.run_js("""(() => {
            const b = document.getElementById('flame').getBoundingClientRect();
            return [b.left, b.top, b.width, b.height];
        })()""")

    def picture(self):
        """The canvas as bytes, to tell whether it has changed."""
        return self.run_js("document.getElementById('flame').toDataURL()")

    def rows(self):
        return self.run_js("""[...document.querySelectorAll('#table tbody tr')]
            .map((row) => [...row.cells].map((cell) => cell.textContent))""")

    def keep(self, name):
        directory = os.environ.get("HEAPLEDGER_SCREENSHOTS")
        if directory:
            self.browser.screenshot(os.path.join(directory, name + ".png"))

    def report_sites(self, stem="heap"):
        return json.loads(self.text(stem, "json"))

    def test_shows_the_totals_and_how_it_was_measured(self):
        totals = self.write("random", 300, 12)["heap"]["totals"]
        self.open("heap")
        self.assertEqual(self.text("program"), "prog")
        self.assertIn("exact, full stacks", self.text("facts"))
        self.assertIn("on truncated stacks", self.text("facts"))
        exact = self.run_js("[...document.querySelectorAll('#facts dd')]"
                            ".map((d) => d.title)")
        for value in totals.values():
            self.assertIn(f"{value:,}", exact)
        self.assertIn(f"{totals['live_bytes']:,} bytes", self.text("selected"))
        self.assertIn("100.0% of all", self.text("selected"))
        self.keep("heap_light")

    def test_search_finds_by_regular_expression_and_says_the_share(self):
        self.write("random", 300, 12)
        self.open("heap")
        before = self.picture()
        data = self.report_sites()
        frames = [f["function"] for f in data["frames"]]
        share = sum(
            site["values"]["live_bytes"] for site in data["callsites"]
            if any("Handle1" in frames[f] and "nent1" in frames[f]
                   for f in site["stack"]))
        self.browser.press("/", 191, "/")
        self.assertEqual(self.run_js("document.activeElement.id"), "search")
        self.type_into("search", "nent1.*handle1")
        wanted = 100 * share / data["totals"]["live_bytes"]
        self.assertRegex(self.text("found"),
                         rf"^\d+ frames, {wanted:.1f}% of all$")
        self.assertNotEqual(self.picture(), before)
        self.type_into("search", "no such function")
        self.assertEqual(self.text("found"), "0 frames, 0.0% of all")
        self.type_into("search", "((")  # no regular expression
        self.assertEqual(self.text("found"), "0 frames, 0.0% of all")
        self.run_js("document.getElementById('search').focus()")
        self.browser.press("Escape", ESCAPE)
        self.assertEqual(self.text("found"), "")
        self.assertEqual(self.run_js("document.activeElement.id"), "flame")

    def test_zooms_by_click_and_key(self):
        self.write("random", 300, 12)
        self.open("heap")
        whole = self.picture()
        left, top, width, _ = self.canvas()
        self.browser.click(left + width * 0.25, top + 18 * 5 + 9)
        zoomed = self.text("selected")
        self.assertNotIn("100.0% of all", zoomed)
        self.assertNotEqual(self.picture(), whole)
        self.assertFalse(self.run_js("document.getElementById('reset').disabled"))
        self.run_js("document.getElementById('flame').focus()")
        self.browser.press("ArrowDown", DOWN)
        child = self.text("selected")
        self.assertNotEqual(child, zoomed)
        self.browser.press("Enter", ENTER)
        self.browser.press("Backspace", BACKSPACE)
        self.assertEqual(self.text("selected"), zoomed)
        self.browser.press("Escape", ESCAPE)
        self.assertIn("100.0% of all", self.text("selected"))
        self.assertTrue(self.run_js("document.getElementById('reset').disabled"))
        self.browser.mouse("mouseMoved", 5, 5)
        self.assertEqual(self.picture(), whole)

    def test_arrows_move_between_neighbours(self):
        self.write("random", 300, 12)
        self.open("heap")
        self.run_js("document.getElementById('flame').focus()")
        for _ in range(4):
            self.browser.press("ArrowDown", DOWN)
        here = self.text("selected")
        for key, code, back, back_code in (
                ("ArrowRight", RIGHT, "ArrowLeft", LEFT),
                ("ArrowDown", DOWN, "ArrowUp", UP)):
            self.browser.press(key, code)
            self.assertNotEqual(self.text("selected"), here)
            self.browser.press(back, back_code)
            self.assertEqual(self.text("selected"), here)

    def test_hovering_tells_exact_figures(self):
        self.write("random", 300, 12)
        self.open("heap")
        left, top, width, _ = self.canvas()
        self.browser.mouse("mouseMoved", left + width * 0.25, top + 18 * 4 + 9)
        self.assertRegex(self.text("tip"),
                         r"[\d,]+ bytes \([\d.]+ \w+\), [\d,]+ objects?, "
                         r"[\d.]+% of all")
        self.keep("tip")
        self.browser.mouse("mouseMoved", 2, 2)
        self.assertTrue(self.run_js("document.getElementById('tip').hidden"))

    def test_switches_value_and_direction(self):
        totals = self.write("random", 300, 12)["heap"]["totals"]
        self.open("heap")
        pictures = [self.picture()]
        self.choose("unit", "objects")
        self.assertIn(f"{totals['live_objects']:,} objects",
                      self.text("selected"))
        pictures.append(self.picture())
        self.choose("span", "allocated")
        self.assertIn(f"{totals['allocations']:,} objects",
                      self.text("selected"))
        pictures.append(self.picture())
        self.choose("unit", "bytes")
        self.assertIn(f"{totals['allocated_bytes']:,} bytes",
                      self.text("selected"))
        pictures.append(self.picture())
        self.choose("root", "bottom")
        pictures.append(self.picture())
        self.assertEqual(len(set(pictures)), len(pictures))
        self.keep("flame_bottom")

    def test_table_sorts_filters_groups_and_adds_up(self):
        written = self.write("random", 300, 12)
        self.open("heap")
        by_id = {}
        for site in self.report_sites()["callsites"]:
            by_id.setdefault(site["callsite"], 0)
            by_id[site["callsite"]] += site["values"]["live_bytes"]
        order = sorted(by_id.values(), reverse=True)
        shown = self.run_js(
            "[...document.querySelectorAll('#table tbody tr')].map((row) =>"
            " Number(row.cells[0].title.replaceAll(',', '')))")
        self.assertEqual(shown, order[:200])
        total = f"{written['heap']['totals']['live_bytes']:,}"
        foot = "document.querySelector('#table tfoot td').title"
        self.assertEqual(self.run_js(foot), total)
        self.run_js("document.getElementById('more').click()")
        self.assertEqual(len(self.rows()), len(by_id))
        self.run_js("document.querySelector('#table th [data-key=name]').click()")
        names = [row[4].split("  (")[0] for row in self.rows()]
        self.assertEqual(names, sorted(names))
        self.assertEqual(self.run_js(
            "document.querySelectorAll('#table th')[4].ariaSort"), "ascending")
        site = self.rows()[7]
        self.type_into("filter", site[-1])
        self.assertEqual(self.rows(), [site])
        self.type_into("filter", "")
        for group in ("function", "module"):
            self.run_js(f"""(() => {{
                const select = document.getElementById('group');
                select.value = '{group}';
                select.dispatchEvent(new Event('change'));
            }})()""")
            self.assertEqual(self.run_js(foot), total)
        self.assertEqual(len(self.rows()), 1)

    def test_a_row_shows_its_stacks(self):
        self.write("random", 300, 12)
        self.open("heap")
        before = self.picture()
        self.run_js("document.querySelectorAll('#table tbody .name button')[3]"
                    ".click()")
        self.assertNotEqual(self.picture(), before)
        name = self.rows()[3][4].split("  (")[0]
        self.assertTrue(self.text("selected").startswith(name.split("…")[0]),
                        (self.text("selected"), name))
        self.assertEqual(self.run_js(
            "document.querySelectorAll('#table tr[aria-selected]').length"), 1)
        self.keep("row")

    def test_a_difference_shows_before_and_after_in_colours(self):
        written = self.write("random", 300, 12)["diff"]
        self.open("diff")
        before = written["before"]["live_bytes"]
        change = written["totals"]["live_bytes"]
        self.assertIn(f"{before:,} → {before + change:,} ({change:+,})",
                      self.text("selected"))
        heads = self.run_js("[...document.querySelectorAll('#table th')]"
                            ".map((cell) => cell.textContent)")
        self.assertEqual(heads[:3], ["Before", "After", "Change ▼"])
        signs = {"grew": "+", "shrank": "-"}
        for word, sign in signs.items():
            texts = self.run_js(f"[...document.querySelectorAll('td.{word}')]"
                                ".map((cell) => cell.textContent)")
            self.assertTrue(texts)
            self.assertTrue(all(text[0] == sign for text in texts), texts)
        # Red and blue: how many pixels lean to either.
        red, blue = self.run_js("""(() => {
            const canvas = document.getElementById('flame');
            const {data} = canvas.getContext('2d')
                .getImageData(0, 0, canvas.width, canvas.height);
            let red = 0, blue = 0;
            for (let i = 0; i < data.length; i += 4) {
                if (data[i] > data[i + 2] + 40) ++red;
                if (data[i + 2] > data[i] + 40) ++blue;
            }
            return [red, blue];
        })()""")
        self.assertGreater(red, 1000)
        self.assertGreater(blue, 1000)
        self.assertFalse(self.run_js("document.getElementById('legend').hidden"))
        self.keep("diff_light")

    def test_follows_the_system_into_the_dark_and_back_by_button(self):
        self.write("random", 300, 12)
        self.open("heap")
        background = "getComputedStyle(document.body).backgroundColor"
        light, picture = self.run_js(background), self.picture()
        self.browser.prefer("dark")
        time.sleep(0.2)
        dark = self.run_js(background)
        self.assertLess(sum(map(int, dark[4:-1].split(","))), 150)
        self.assertGreater(sum(map(int, light[4:-1].split(","))), 600)
        self.assertNotEqual(self.picture(), picture)
        self.keep("heap_dark")
        self.run_js("document.getElementById('theme').click()")
        self.assertEqual(self.run_js(background), light)
        self.assertEqual(self.picture(), picture)

    def test_hostile_names_stay_text(self):
        self.write("hostile")
        for stem in ("heap", "diff"):
            self.open(stem)
            self.assertNotEqual(self.run_js("document.title"), "owned")
            self.assertIn("heapledger", self.run_js("document.title"))
            self.assertEqual(self.run_js(
                "document.querySelectorAll('img, body b, iframe').length"), 0)
            names = " ".join(row[3] + row[4] for row in self.rows())
            self.assertIn("</script><script>document.title='owned'</script>",
                          names)
            self.assertIn('<img src=x onerror="', names)
            self.assertEqual(len(self.rows()), 13)
            self.check_quiet()

    def test_a_script_that_got_in_would_not_run(self):
        self.write("random", 10, 3)
        with open(self.path("heap", "html")) as file:
            page = file.read()
        with open(self.path("evil", "html"), "w") as file:
            file.write(page.replace(
                "</header>", "<script>document.title = 'owned'</script>"
                "<img src='x' onerror=\"document.title='owned'\"></header>"))
        self.browser.open(self.path("evil", "html"))
        self.assertNotEqual(self.run_js("document.title"), "owned")
        self.assertTrue(any("Content Security Policy" in complaint
                            for complaint in self.browser.complaints))

    def test_an_empty_heap_is_a_page_too(self):
        self.write("random", 0, 1)
        self.open("heap")
        self.assertIn("0 bytes", self.text("selected"))
        self.assertEqual(self.rows(), [])

    def test_fifty_thousand_callsites_open_and_answer_quickly(self):
        written = self.write("random", 50_000, 25)
        for stem in ("heap", "diff"):
            self.assertLess(written[stem]["files"]["html"]["bytes"], 5_000_000)
        seconds = self.open("heap")
        self.assertLess(seconds, 15)
        self.assertEqual(self.text("rows"), "50,000 rows")
        figures = {"open": seconds}
        for name, action in (
                ("search", "document.getElementById('search').value = 'le7';"
                 "document.getElementById('search')"
                 ".dispatchEvent(new Event('input'))"),
                ("filter", "document.getElementById('filter').value = 'le7';"
                 "document.getElementById('filter')"
                 ".dispatchEvent(new Event('input'))"),
                ("value", "document.querySelector("
                 "'input[name=unit][value=objects]').click()"),
                ("zoom", "document.querySelector('#table .name button')"
                 ".click()")):
            figures[name] = self.run_js(
                "(() => { const start = performance.now();" + action +
                "; return (performance.now() - start) / 1000; })()")
            # A person waits; a machine that does other work is slower.
            self.assertLess(figures[name], 3, name)
        print({name: round(value, 3) for name, value in figures.items()})
        self.keep("large")


if __name__ == "__main__":
    unittest.main()
