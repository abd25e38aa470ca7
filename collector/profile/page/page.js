'use strict';
// Joins the parts of the page: controls, header, flame graph and table.

const byId = (id) => document.getElementById(id);

function showProblem(error) {
  const place = byId('problem');
  place.textContent = `The heap cannot be shown: ${error.message}.`;
  place.hidden = false;
}

// Follows the system until the button is used.
class Theme {
  constructor(onChange) {
    this.system = matchMedia('(prefers-color-scheme: dark)');
    this.chosen = null;
    this.onChange = onChange;
    this.system.addEventListener('change', () => this.apply());
    byId('theme').addEventListener('click', () => {
      this.chosen = this.current() === 'dark' ? 'light' : 'dark';
      this.apply();
    });
    this.apply();
  }

  current() {
    return this.chosen || (this.system.matches ? 'dark' : 'light');
  }

  apply() {
    document.documentElement.dataset.theme = this.current();
    byId('theme').textContent =
        this.current() === 'dark' ? 'Light theme' : 'Dark theme';
    this.onChange();
  }
}

function drawHeader(heap) {
  const {facts} = heap;
  byId('program').textContent =
      `${clip(facts.program, 200)}${heap.difference ? ': what changed' : ''}`;
  const list = [];
  const add = (title, text, hint = '') => list.push({title, text, hint});
  const about = facts.estimated ? '~' : '';
  add('pid', String(facts.pid));
  const moment = facts.moment ? ` (${facts.moment})` : '';
  add('taken', `${facts.taken_at}${moment}`);
  for (const earlier of heap.compared) {
    const name = earlier.moment ? ` (${earlier.moment})` : '';
    add('compared with', `${earlier.program} ${earlier.pid}, ` +
                             `${earlier.taken_at}${name}`);
  }
  add('state', facts.state);
  add('mode', `${facts.mode}, ${facts.stack} stacks` +
                  (facts.estimated ? ', estimated' : ''));
  const {before, after} = heap.totals;
  const total = (value, text) => {
    const end = about + text(after[value]);
    const hint = exact(after[value]);
    if (!heap.difference) return [end, hint];
    const change = after[value] - before[value];
    return [`${about}${text(before[value])} → ${end} (${signed(change, text)})`,
            `${exact(before[value])} → ${hint} (${signed(change)})`];
  };
  kValueTitles.forEach((title, value) => {
    add(title, ...total(value, heap.isBytes(value) ? human : exact));
  });
  if (facts.peak_live_bytes > 0) {
    add('peak', about + human(facts.peak_live_bytes),
        exact(facts.peak_live_bytes));
  }
  for (const [word, values] of Object.entries(heap.losses)) {
    if (values.live_bytes === 0) continue;
    add(`on ${word} stacks`, percent(values.live_bytes, after[0]),
        `${exact(values.live_bytes)} live bytes`);
  }
  byId('facts').replaceChildren(...list.map(({title, text, hint}) => {
    const entry = make('div');
    const value = make('dd', '', text);
    if (hint !== '') value.title = hint;
    entry.append(make('dt', '', title), value);
    return entry;
  }));
  byId('remarks').replaceChildren(
      ...heap.remarks.map((remark) => make('li', '', clip(remark, 500))));
}

// Beside the pointer, and inside the window.
function placeTip(event) {
  const tip = byId('tip');
  const gap = 14;
  const left = Math.min(event.clientX + gap,
                        window.innerWidth - tip.offsetWidth - gap);
  const below = event.clientY + gap;
  const above = event.clientY - tip.offsetHeight - gap;
  const fits = below + tip.offsetHeight < window.innerHeight;
  tip.style.left = `${Math.max(left, gap)}px`;
  tip.style.top = `${fits ? below : Math.max(above, gap)}px`;
}

class Page {
  constructor(heap) {
    this.heap = heap;
    this.tree = new Tree(heap);
    this.flame = new Flame(byId('flame'), this.tree, this);
    this.table = new CallsiteTable(
        byId('main'), heap, {pick: (leaves) => this.flame.mark(leaves)});
    this.searched = null;
    byId('legend').hidden = !heap.difference;
    this.connect();
  }

  connect() {
    const check = (name, value) => {
      document.querySelector(`input[name=${name}][value=${value}]`).checked =
          true;
    };
    check('span', this.heap.value >= 2 ? 'allocated' : 'live');
    check('unit', this.heap.isBytes(this.heap.value) ? 'bytes' : 'objects');
    for (const name of ['span', 'unit', 'root']) {
      for (const input of document.querySelectorAll(`input[name=${name}]`)) {
        input.addEventListener('change', () => this.readControls());
      }
    }
    byId('search').addEventListener(
        'input', () => this.search(matcherOf(byId('search').value)));
    byId('filter').addEventListener(
        'input', () => this.table.setFilter(matcherOf(byId('filter').value)));
    byId('group').addEventListener(
        'change', () => this.table.setGroup(byId('group').value));
    byId('reset').addEventListener('click', () => this.flame.reset());
    document.addEventListener('keydown', (event) => this.onKey(event));
  }

  // Keys of the whole page; those of the graph are its own.
  onKey(event) {
    const writes = event.target instanceof HTMLInputElement &&
        event.target.type === 'search';
    if (event.key === '/' && !writes && !event.ctrlKey && !event.metaKey) {
      byId('search').focus();
      event.preventDefault();
    } else if (event.key === 'Escape' && event.target === byId('search')) {
      byId('search').value = '';
      this.search(null);
      byId('flame').focus();
      event.preventDefault();
    } else if (event.key === 'Enter' && event.target === byId('search')) {
      byId('flame').focus();
    }
  }

  readControls() {
    const chosen = (name) =>
        document.querySelector(`input[name=${name}]:checked`).value;
    const value = (chosen('span') === 'allocated' ? 2 : 0) +
        (chosen('unit') === 'objects' ? 1 : 0);
    this.flame.rootAtTop = chosen('root') === 'top';
    if (value !== this.tree.value) {
      this.tree.setValue(value);
      this.table.setValue(value);
      this.search(this.searched);
    }
    this.flame.draw();
    this.flame.scrollTo(this.flame.focus);
    this.select(this.flame.selected);
  }

  search(matcher) {
    this.searched = matcher;
    const found = matcher === null ? null : this.tree.search(matcher);
    this.flame.matches = found && found.matches;
    byId('found').textContent = found === null ? '' :
        `${exact(found.count)} frames, ` +
            `${percent(found.sum, this.tree.widths[0])} of all`;
    this.flame.draw();
  }

  // What the flame graph tells.
  hover(node, event) {
    const tip = byId('tip');
    tip.hidden = node < 0;
    if (node < 0) return;
    tip.textContent = this.tree.describe(node)
        .map((line) => clip(line, 1000)).join('\n');
    placeTip(event);
  }

  select(node) {
    byId('selected').textContent =
        this.tree.describe(node).map((line) => clip(line, 1000)).join(' — ');
  }

  focus(node) {
    byId('reset').disabled = node === 0;
  }

  draw() {
    this.flame.draw();
  }
}

async function start() {
  let page = null;
  new Theme(() => page && page.draw());
  try {
    const heap = await Heap.read(byId('heap'));
    drawHeader(heap);
    byId('main').hidden = false;
    page = new Page(heap);
    page.table.draw();
    page.draw();
    page.select(0);
    page.focus(0);
    document.documentElement.dataset.ready = 'true';
  } catch (error) {
    showProblem(error);
    throw error;
  }
}

start();
