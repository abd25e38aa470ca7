'use strict';
// The flame graph on a canvas. Only boxes that can be seen are laid out, from
// the frame in focus inwards, so that the size of the heap does not matter.

const kRowHeight = 18;
const kNarrowest = 0.6;  // pixels
const kLargestCanvas = 16000;  // device pixels; browsers differ beyond

class Flame {
  // `listener`: hover(node or -1, event), select(node), focus(node)
  constructor(canvas, tree, listener) {
    this.canvas = canvas;
    this.tree = tree;
    this.listener = listener;
    this.focus = 0;
    this.history = [];
    this.selected = 0;
    this.hovered = -1;
    this.rootAtTop = true;
    this.matches = null;
    this.marked = new Set();
    this.rows = [];
    this.outside = new Set();  // ancestors of the one in focus
    canvas.addEventListener('mousemove', (event) => this.onMove(event));
    canvas.addEventListener('mouseleave', () => this.hover(-1));
    canvas.addEventListener('click', (event) => this.onClick(event));
    canvas.addEventListener('keydown', (event) => this.onKey(event));
    new ResizeObserver(() => this.draw()).observe(canvas.parentElement);
  }

  // Rows of {node, left, width} in pixels, from the root inwards.
  layout(width) {
    const {tree} = this;
    const path = tree.path(this.focus);
    this.outside = new Set(path.slice(0, -1));
    this.rows = path.map((node) => [{node, left: 0, width}]);
    let row = this.rows[this.rows.length - 1];
    while (row.length > 0) {
      const next = [];
      for (const box of row) {
        const total = tree.widths[box.node];
        if (total === 0) continue;
        let left = box.left;
        for (const child of tree.children(box.node)) {
          const part = box.width * tree.widths[child] / total;
          if (part < kNarrowest) break;  // those to come are narrower
          next.push({node: child, left, width: part});
          left += part;
        }
      }
      if (next.length > 0) this.rows.push(next);
      row = next;
    }
  }

  draw() {
    const width = this.canvas.parentElement.clientWidth;
    if (width === 0) return;
    this.layout(width);
    const height = this.rows.length * kRowHeight;
    const scale = Math.min(window.devicePixelRatio || 1,
                           kLargestCanvas / Math.max(width, height));
    this.canvas.width = Math.round(width * scale);
    this.canvas.height = Math.round(height * scale);
    this.canvas.style.height = `${height}px`;
    const context = this.canvas.getContext('2d');
    context.scale(scale, scale);
    context.font = '12px ui-monospace, monospace';
    context.textBaseline = 'middle';
    this.characterWidth = context.measureText('0').width;
    this.palette = readPalette();
    this.rows.forEach((boxes, row) => {
      for (const box of boxes) this.drawBox(context, box, this.top(row));
    });
  }

  top(row) {
    return kRowHeight *
        (this.rootAtTop ? row : this.rows.length - 1 - row);
  }

  drawBox(context, {node, left, width}, top) {
    const {palette} = this;
    const found = this.matches !== null && this.matches[node] === 1;
    const gap = width > 3 ? 1 : 0;
    context.globalAlpha = this.outside.has(node) ? 0.6 : 1;
    context.fillStyle = found ? palette.mark : this.colour(node);
    context.fillRect(left, top, Math.max(width - gap, 0.5), kRowHeight - 1);
    if (this.marked.has(node)) {
      context.fillStyle = palette.mark;
      context.fillRect(left, top + kRowHeight - 4, Math.max(width - gap, 1), 3);
    }
    if (node === this.selected || node === this.hovered) {
      context.strokeStyle = palette.text;
      context.lineWidth = node === this.selected ? 2 : 1;
      context.strokeRect(left + 1, top + 1, Math.max(width - gap - 2, 1),
                         kRowHeight - 3);
    }
    const room = Math.floor((width - 8) / this.characterWidth);
    if (room >= 3) {
      context.fillStyle = found ? '#111' : palette.boxText;
      context.fillText(fitName(this.tree.name(node), room), left + 4,
                       top + kRowHeight / 2);
    }
    context.globalAlpha = 1;
  }

  colour(node) {
    const {tree, palette} = this;
    if (!tree.heap.difference) {
      return palette.frame(tree.module(node), tree.heap.frames[node]);
    }
    const change = tree.afters[node] - tree.befores[node];
    const width = tree.widths[node];
    return palette.change(change, width === 0 ? 0 : Math.abs(change) / width);
  }

  nodeAt(event) {
    const bounds = this.canvas.getBoundingClientRect();
    const x = event.clientX - bounds.left;
    const line = Math.floor((event.clientY - bounds.top) / kRowHeight);
    const row = this.rootAtTop ? line : this.rows.length - 1 - line;
    const boxes = this.rows[row] || [];
    let low = 0;
    let high = boxes.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (boxes[middle].left + boxes[middle].width <= x) low = middle + 1;
      else high = middle;
    }
    return low < boxes.length && boxes[low].left <= x ? boxes[low].node : -1;
  }

  hover(node, event) {
    if (node !== this.hovered) {
      this.hovered = node;
      this.draw();
    }
    this.listener.hover(node, event);
  }

  onMove(event) {
    this.hover(this.nodeAt(event), event);
  }

  onClick(event) {
    const node = this.nodeAt(event);
    if (node >= 0) this.zoom(node);
  }

  select(node) {
    this.selected = node;
    this.draw();
    this.scrollTo(node);
    this.listener.select(node);
  }

  zoom(node) {
    if (node !== this.focus) {
      this.history.push(this.focus);
      this.focus = node;
    }
    this.listener.focus(node);
    this.select(node);
  }

  back() {
    const node = this.history.pop();
    if (node === undefined) return;
    this.focus = node;
    this.listener.focus(node);
    this.select(node);
  }

  reset() {
    this.history = [];
    this.focus = 0;
    this.listener.focus(0);
    this.select(0);
  }

  // The box of a node, or null where it is too narrow to be drawn.
  boxOf(node) {
    for (let row = 0; row < this.rows.length; ++row) {
      const box = this.rows[row].find((b) => b.node === node);
      if (box) return {...box, row};
    }
    return null;
  }

  scrollTo(node) {
    const box = this.boxOf(node);
    if (box === null) return;
    const frame = this.canvas.parentElement;
    const top = this.top(box.row);
    if (top < frame.scrollTop) frame.scrollTop = top;
    const below = top + kRowHeight - frame.clientHeight;
    if (below > frame.scrollTop) frame.scrollTop = below;
  }

  // Underlines the stacks of these nodes, and shows the first: zooms in on the
  // outermost frame from which it can be seen.
  mark(leaves) {
    const {tree} = this;
    this.marked = new Set();
    for (const leaf of leaves) {
      for (const node of tree.path(leaf)) this.marked.add(node);
    }
    const leaf = leaves[0];
    const wide = tree.path(leaf).find(
        (node) => tree.widths[leaf] * 20 >= tree.widths[node]);
    if (wide !== undefined && wide !== this.focus) {
      this.history.push(this.focus);
      this.focus = wide;
      this.listener.focus(wide);
    }
    this.select(leaf);
  }

  onKey(event) {
    const inwards = this.rootAtTop ? 'ArrowDown' : 'ArrowUp';
    const outwards = this.rootAtTop ? 'ArrowUp' : 'ArrowDown';
    const {tree, selected} = this;
    switch (event.key) {
      case inwards: {
        const child = tree.children(selected)[0];
        if (child !== undefined && tree.widths[child] > 0) this.select(child);
        break;
      }
      case outwards:
        if (selected !== 0) this.select(tree.parents[selected]);
        break;
      case 'ArrowRight':
        this.selectBeside(1);
        break;
      case 'ArrowLeft':
        this.selectBeside(-1);
        break;
      case 'Enter':
        this.zoom(selected);
        break;
      case 'Backspace':
        this.back();
        break;
      case 'Escape':
        this.reset();
        break;
      default:
        return;
    }
    event.preventDefault();
  }

  // The next box of the row, of whatever parent.
  selectBeside(step) {
    const box = this.boxOf(this.selected);
    if (box === null) return;
    const boxes = this.rows[box.row];
    const next = boxes[boxes.findIndex((b) => b.node === this.selected) + step];
    if (next) this.select(next.node);
  }
}

// Hues that differ from each other and from the mark of a search.
const kModuleHues = [30, 46, 165, 14, 200, 88, 225, 265];

// Colours of the theme in use.
function readPalette() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(name).trim();
  const dark = document.documentElement.dataset.theme === 'dark';
  const hues = new Map();
  const hueOf = (module) => {
    if (!hues.has(module)) {
      let hash = 2166136261;
      for (let i = 0; i < Math.min(module.length, 200); ++i) {
        hash = Math.imul(hash ^ module.charCodeAt(i), 16777619) >>> 0;
      }
      hues.set(module, kModuleHues[((hash ^ hash >>> 13) >>> 0) % kModuleHues.length]);
    }
    return hues.get(module);
  };
  return {
    text: of('--text'),
    mark: of('--mark'),
    boxText: dark ? '#f4f1ea' : '#1d1c1a',
    // A hue per module, a tone per function.
    frame(module, frame) {
      if (module === '') return dark ? '#45423c' : '#ddd9d1';
      const light = (dark ? 27 : 72) + frame * 7 % 12;
      return `hsl(${hueOf(module)}, ${dark ? 40 : 66}%, ${light}%)`;
    },
    // Red grew, blue shrank, the paler the less of it has changed.
    change(change, share) {
      if (change === 0) return dark ? '#3a3833' : '#e7e4de';
      const depth = Math.sqrt(Math.min(share, 1));
      const light = dark ? 26 + 18 * depth : 90 - 28 * depth;
      return `hsl(${change > 0 ? 5 : 215}, ${dark ? 55 : 75}%, ${light}%)`;
    },
  };
}
