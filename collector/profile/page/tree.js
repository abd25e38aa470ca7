'use strict';
// The call tree with the sums of one value: what the flame graph is laid out
// from. Node 0 is the whole; a parent's index is less than its children's.

class Tree {
  constructor(heap) {
    this.heap = heap;
    this.parents = heap.parents;
    this.size = heap.parents.length;
    this.findChildren();
    this.setValue(heap.value);
  }

  // The children of `node` are childList[begins[node]] to begins[node + 1].
  findChildren() {
    const counts = new Uint32Array(this.size + 1);
    for (let node = 1; node < this.size; ++node) {
      ++counts[this.parents[node] + 1];
    }
    for (let i = 1; i <= this.size; ++i) counts[i] += counts[i - 1];
    this.begins = counts;
    this.childList = new Uint32Array(this.size);
    const next = counts.slice();
    for (let node = 1; node < this.size; ++node) {
      this.childList[next[this.parents[node]]++] = node;
    }
  }

  // Sums over the callsites at or below each node.
  sum(byCallsite) {
    const totals = new Float64Array(this.size);
    const leaves = this.heap.callsites.node;
    for (let i = 0; i < leaves.length; ++i) totals[leaves[i]] += byCallsite[i];
    for (let node = this.size - 1; node > 0; --node) {
      totals[this.parents[node]] += totals[node];
    }
    return totals;
  }

  setValue(value) {
    const {heap} = this;
    this.value = value;
    this.widths = this.sum(heap.width[value]);
    this.befores = this.sum(heap.before[value]);
    this.afters = this.sum(heap.after[value]);
    // Objects beside bytes, bytes beside objects.
    this.companions = this.sum(heap.after[value ^ 1]);
    for (let node = 0; node < this.size; ++node) {
      const children =
          this.childList.subarray(this.begins[node], this.begins[node + 1]);
      if (children.length > 1) {
        children.sort((a, b) => this.widths[b] - this.widths[a] || a - b);
      }
    }
  }

  children(node) {
    return this.childList.subarray(this.begins[node], this.begins[node + 1]);
  }

  name(node) {
    return this.heap.functions[this.heap.frames[node]];
  }

  module(node) {
    return this.heap.modules[this.heap.frames[node]];
  }

  // From the root to the node, both included.
  path(node) {
    const path = [node];
    while (node !== 0) path.push(node = this.parents[node]);
    return path.reverse();
  }

  // Which nodes a matcher finds, and how much of the whole stands on them:
  // what is below another match is not counted twice.
  search(matcher) {
    const {heap} = this;
    const frameMatches = heap.functions.map(
        (name, i) => matcher.test(name) || matcher.test(heap.modules[i]));
    const matches = new Uint8Array(this.size);
    const covered = new Uint8Array(this.size);
    let sum = 0;
    let count = 0;
    for (let node = 1; node < this.size; ++node) {
      const parent = this.parents[node];
      covered[node] = covered[parent];
      if (!frameMatches[heap.frames[node]] || this.widths[node] === 0) continue;
      matches[node] = 1;
      ++count;
      if (!covered[node]) sum += this.widths[node];
      covered[node] = 1;
    }
    return {matches, sum, count};
  }

  // Lines that say all of a node; the tooltip and the status show them.
  describe(node) {
    const {heap} = this;
    const lines =
        [this.name(node) + (this.module(node) ? `  (${this.module(node)})` : '')];
    const share = percent(this.widths[node], this.widths[0]);
    if (heap.difference) {
      const before = this.befores[node];
      const after = this.afters[node];
      lines.push(`${kValueTitles[this.value]}: ${exact(before)} → ` +
                 `${exact(after)} (${signed(after - before)}), ${share} of all`);
    } else {
      const size = heap.isBytes(this.value) ?
          ` (${human(this.afters[node])})` : '';
      lines.push(`${counted(this.afters[node], heap, this.value)}${size}, ` +
                 `${counted(this.companions[node], heap, this.value ^ 1)}, ` +
                 `${share} of all`);
    }
    return lines;
  }
}

// "1 object", "2,000 bytes"
function counted(number, heap, value) {
  const unit = heap.isBytes(value) ? 'byte' : 'object';
  return `${exact(number)} ${unit}${number === 1 ? '' : 's'}`;
}
