'use strict';
// The table of callsites, or of the functions or modules that they are named
// after. Rows are made as far as they are shown.

const kRowsAtOnce = 200;

class CallsiteTable {
  // `listener`: pick(leaves, row) when a row is clicked.
  constructor(root, heap, listener) {
    this.root = root;
    this.heap = heap;
    this.listener = listener;
    this.table = root.querySelector('#table');
    this.more = root.querySelector('#more');
    this.count = root.querySelector('#rows');
    this.value = heap.value;
    this.group = 'callsite';
    this.filter = null;
    this.shown = kRowsAtOnce;
    this.sort = {key: heap.difference ? 'change' : heap.sort, down: true};
    this.picked = null;
    this.more.addEventListener('click', () => {
      this.shown += 5 * kRowsAtOnce;
      this.draw();
    });
    this.regroup();
  }

  setValue(value) {
    if (this.sort.key === this.value) this.sort.key = value;
    this.value = value;
    this.draw();
  }

  setGroup(group) {
    this.group = group;
    this.shown = kRowsAtOnce;
    this.regroup();
    this.draw();
  }

  setFilter(matcher) {
    this.filter = matcher;
    this.shown = kRowsAtOnce;
    this.draw();
  }

  // Stacks of one key are one row.
  regroup() {
    const {heap, group} = this;
    const sites = heap.callsites;
    const rows = new Map();
    for (let i = 0; i < sites.count; ++i) {
      const module = sites.module[i] || sites.function[i];
      const key = group === 'callsite' ? sites.id[i] :
          group === 'module' ? module : `${sites.function[i]}\n${module}`;
      let row = rows.get(key);
      if (row === undefined) {
        row = {
          id: group === 'callsite' ? sites.id[i] : '',
          name: group === 'module' ? module : sites.function[i],
          module: group === 'module' ? '' : sites.module[i],
          place: group === 'callsite' ? placeOf(sites, i) : '',
          flags: 0,
          sites: [],
          before: [0, 0, 0, 0],
          after: [0, 0, 0, 0],
        };
        rows.set(key, row);
      }
      row.sites.push(i);
      row.flags |= sites.flags[i];
      for (let value = 0; value < 4; ++value) {
        row.before[value] += heap.before[value][i];
        row.after[value] += heap.after[value][i];
      }
    }
    this.rows = [...rows.values()];
  }

  columns() {
    const {heap, value} = this;
    const number = (key, title, of, text) =>
        ({key, title, of, text, number: true});
    const figure = (v) => heap.isBytes(v) ? human : exact;
    const numbers = heap.difference ?
        [
          number('before', 'Before', (row) => row.before[value], figure(value)),
          number('after', 'After', (row) => row.after[value], figure(value)),
          number('change', 'Change', (row) =>
                     row.after[value] - row.before[value],
                 (x) => signed(x, figure(value))),
        ] :
        [0, 1, 2, 3].map((v) => number(v, capital(kValueTitles[v]),
                                       (row) => row.after[v], figure(v)));
    const text = (key, title, className) =>
        ({key, title, of: (row) => row[key], className});
    const names = [text('name', this.group === 'module' ? 'Module' : 'Function',
                        'name')];
    if (this.group !== 'module') names.push(text('module', 'Module', 'place'));
    if (this.group === 'callsite') {
      names.push(text('place', 'Location', 'place'));
      names.push(text('id', 'Callsite', 'id'));
    }
    return [...numbers, ...names];
  }

  visibleRows(columns) {
    const {filter} = this;
    const rows = filter === null ? [...this.rows] : this.rows.filter(
        (row) => filter.test(row.name) || filter.test(row.module) ||
            filter.test(row.place) || filter.test(row.id));
    const column =
        columns.find(({key}) => key === this.sort.key) || columns[0];
    const way = this.sort.down ? -1 : 1;
    // Of a change its size counts: what shrank much is news as well.
    const of = column.key === 'change' ?
        (row) => Math.abs(column.of(row)) : column.of;
    return rows.sort((a, b) => {
      const x = of(a);
      const y = of(b);
      if (x === y) return 0;
      return x < y ? -way : way;
    });
  }

  draw() {
    const columns = this.columns();
    const rows = this.visibleRows(columns);
    this.drawHead(columns);
    this.table.tBodies[0].replaceChildren(
        ...rows.slice(0, this.shown).map((row) => this.drawRow(columns, row)));
    this.drawFoot(columns, rows);
    this.more.hidden = rows.length <= this.shown;
    this.count.textContent = rows.length === this.rows.length ?
        `${exact(rows.length)} rows` :
        `${exact(rows.length)} of ${exact(this.rows.length)} rows`;
  }

  drawHead(columns) {
    const cells = columns.map((column) => {
      const cell = make('th', column.number ? 'number' : '');
      cell.scope = 'col';
      const sorted = column.key === this.sort.key;
      cell.setAttribute('aria-sort', !sorted ? 'none' :
          this.sort.down ? 'descending' : 'ascending');
      const button = make('button', '', column.title +
          (!sorted ? '' : this.sort.down ? ' ▼' : ' ▲'));
      button.type = 'button';
      button.dataset.key = column.key;
      button.addEventListener('click', () => {
        this.sort = {
          key: column.key,
          down: sorted ? !this.sort.down : Boolean(column.number),
        };
        this.draw();
        this.table.tHead.querySelector(`[data-key="${column.key}"]`).focus();
      });
      cell.append(button);
      return cell;
    });
    const line = make('tr');
    line.append(...cells);
    this.table.tHead.replaceChildren(line);
  }

  drawRow(columns, row) {
    const line = make('tr');
    if (row === this.picked) line.setAttribute('aria-selected', 'true');
    const whole = this.heap.totals.after[this.value];
    for (const column of columns) {
      const value = column.of(row);
      if (column.key === 'name') {
        line.append(this.nameCell(row));
      } else if (column.number) {
        const cell = make('td', 'number', column.text(value));
        cell.title = exact(value);
        if (column.key === 'change' && value !== 0) {
          cell.classList.add(value > 0 ? 'grew' : 'shrank');
        }
        if (column.key === this.value && whole > 0) {
          cell.classList.add('share');
          cell.style.setProperty('--part', percent(value, whole));
        }
        line.append(cell);
      } else {
        const short = shortPath(value);
        const cell = make('td', column.className, clip(short, 100));
        if (short !== value || short.length > 100) {
          cell.title = clip(value, 2000);
        }
        line.append(cell);
      }
    }
    return line;
  }

  nameCell(row) {
    const cell = make('td', 'name');
    const button = make('button', '', clip(row.name, 200));
    button.type = 'button';
    button.title = `Show the stacks of ${clip(row.name, 2000)}`;
    button.addEventListener('click', () => {
      this.picked = row;
      for (const line of this.table.tBodies[0].rows) {
        line.removeAttribute('aria-selected');
      }
      cell.parentElement.setAttribute('aria-selected', 'true');
      const width = this.heap.width[this.value];
      const sites = [...row.sites].sort((a, b) => width[b] - width[a]);
      this.listener.pick(sites.map((i) => this.heap.callsites.node[i]));
    });
    cell.append(button);
    const words = kFlagWords.filter((word, bit) => row.flags & (1 << bit));
    if (words.length > 0) {
      cell.append(make('span', 'place', `  (${words.join(', ')})`));
    }
    return cell;
  }

  // The sums of what the filter leaves.
  drawFoot(columns, rows) {
    const line = make('tr');
    for (const column of columns) {
      if (!column.number) break;
      const sum = rows.reduce((total, row) => total + column.of(row), 0);
      const cell = make('td', 'number', column.text(sum));
      cell.title = exact(sum);
      line.append(cell);
    }
    const label = make('td', '', this.filter === null ? 'all' : 'of the filter');
    label.colSpan = columns.filter((column) => !column.number).length;
    line.append(label);
    this.table.tFoot.replaceChildren(line);
  }
}

function placeOf(sites, i) {
  if (sites.file[i] === '') return '';
  return sites.line[i] === 0 ? sites.file[i] : `${sites.file[i]}:${sites.line[i]}`;
}

// The last two parts of a path tell files apart.
function shortPath(path) {
  const parts = path.split('/');
  return parts.length <= 3 ? path : `…/${parts.slice(-2).join('/')}`;
}

function capital(text) {
  return text[0].toUpperCase() + text.slice(1);
}

function clip(text, length) {
  return text.length > length ? `${text.slice(0, length)}…` : text;
}

function make(tag, className = '', text = '') {
  const element = document.createElement(tag);
  if (className !== '') element.className = className;
  if (text !== '') element.textContent = text;
  return element;
}
