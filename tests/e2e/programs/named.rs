// SPDX-License-Identifier: Apache-2.0
// Keeps a known number of bytes in Rust functions.

struct Holder<T> {
    kept: Vec<T>,
}

impl<T: Clone> Holder<T> {
    #[inline(never)]
    fn fill(value: T, count: usize) -> Self {
        Holder { kept: vec![value; count] }
    }
}

#[inline(never)]
fn keep_in_closure() -> Box<dyn Fn() -> usize> {
    let text = std::hint::black_box(String::from("x").repeat(4321));
    Box::new(move || text.len())
}

fn main() {
    let holder = Holder::<u64>::fill(7, 1000);
    let closure = keep_in_closure();
    std::process::exit(if holder.kept.len() + closure() == 5321 { 0 } else { 1 });
}
