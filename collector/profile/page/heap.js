'use strict';
// The data of the page: decoded, and its figures as text. Every name in it comes
// from the measured program: it goes into the page as text, never as markup.

const kValueNames =
    ['live_bytes', 'live_objects', 'allocated_bytes', 'allocations'];
const kValueTitles =
    ['live bytes', 'live objects', 'allocated bytes', 'allocations'];
const kFlagWords = ['truncated', 'incomplete', 'cut', 'inherited'];

async function unpack(base64) {
  if (typeof DecompressionStream === 'undefined') {
    throw new Error('this browser cannot unpack the data (it needs ' +
                    'DecompressionStream: any of 2023 or later)');
  }
  const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const stream =
      new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Response(stream).text();
}

// One heap, or the difference of two. `callsites` has one entry per stack.
class Heap {
  static async read(element) {
    const text = element.dataset.encoding === 'gzip' ?
        await unpack(element.textContent.trim()) :
        element.textContent;
    return new Heap(JSON.parse(text));
  }

  constructor(data) {
    Object.assign(this, {
      facts: data.facts,
      remarks: data.remarks,
      compared: data.compared,
      difference: data.difference,
      losses: data.losses,
      value: data.value,
      sort: data.sort,
    });
    const text = (list) => list.map((index) => data.strings[index]);
    this.functions = text(data.functions);  // by frame
    this.modules = text(data.modules);
    this.parents = Uint32Array.from(data.ups, (up, node) => node - up);
    this.frames = Uint32Array.from(data.frames);  // by node

    const sites = data.callsites;
    this.callsites = {
      count: sites.node.length,
      node: Uint32Array.from(sites.node),
      id: sites.id,
      function: text(sites.function),
      module: text(sites.module),
      file: text(sites.file),
      line: sites.line,
      flags: sites.flags,
    };
    const columns = (lists) => lists.map((list) => Float64Array.from(list));
    // By value, then callsite. Of a difference `change` is after less before.
    this.change = columns(sites.values);
    this.before = this.difference ?
        columns(sites.before_values) :
        this.change.map((list) => new Float64Array(list.length));
    this.after = this.change.map(
        (list, value) => list.map((x, i) => x + this.before[value][i]));
    // How wide a callsite is drawn.
    this.width = this.after.map(
        (list, value) =>
            list.map((x, i) => Math.max(x, this.before[value][i])));
    const sum = (lists) => lists.map((list) => list.reduce((a, b) => a + b, 0));
    this.totals = {before: sum(this.before), after: sum(this.after)};
  }

  isBytes(value) {
    return value % 2 === 0;
  }
}

const kExact = new Intl.NumberFormat('en-US');

function exact(number) {
  return kExact.format(number);
}

function signed(number, text = exact) {
  return number > 0 ? `+${text(number)}` : text(number);
}

// "12.3 MiB"
function human(bytes) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let size = Math.abs(bytes);
  let unit = 0;
  while (size >= 1023.95 && unit + 1 < units.length) {
    size /= 1024;
    ++unit;
  }
  const digits = unit === 0 ? String(size) : size.toFixed(size < 10 ? 2 : 1);
  return `${bytes < 0 ? '-' : ''}${digits} ${units[unit]}`;
}

function percent(part, whole) {
  return `${(whole === 0 ? 0 : 100 * part / whole).toFixed(1)}%`;
}

const kAnonymous = '(anonymous namespace)';

// A function as a box shows it: no parameters, no template arguments, no return
// type. Operators keep all, as their signs are no brackets.
function shortName(name) {
  const start = name.slice(0, 400);
  if (start.includes('operator')) return start;
  let short = '';
  let depth = 0;
  let hasParameters = false;
  for (let i = 0; i < start.length && !hasParameters; ++i) {
    const c = start[i];
    if (start.startsWith(kAnonymous, i)) {
      if (depth === 0) short += '(anonymous)';
      i += kAnonymous.length - 1;
    } else if (c === '<' && i > 0) {
      if (depth++ === 0) short += '<…>';
    } else if (c === '>' && depth > 0) {
      --depth;
    } else if (depth === 0) {
      hasParameters = c === '(';
      if (!hasParameters) short += c;
    }
  }
  return (hasParameters && short.split(' ').pop()) || short || start;
}

// The end of a name is what tells it from its neighbours: outer scopes go first.
function fitName(name, room) {
  let label = shortName(name);
  while (label.length > room && label.includes('::')) {
    label = label.slice(label.indexOf('::') + 2);
  }
  return label.length > room ? `${label.slice(0, room - 1)}…` : label;
}

// Matches names as the user types: a regular expression, or, where it is none,
// the text itself. Null for nothing.
function matcherOf(text) {
  if (text === '') return null;
  try {
    return new RegExp(text, 'i');
  } catch {
    return new RegExp(text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'), 'i');
  }
}
