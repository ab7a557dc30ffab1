// Times one piece of work after another, in microseconds each.
export async function timed(items, work) {
  const times = [];
  for (const [i, item] of items.entries()) {
    const start = process.hrtime.bigint();
    await work(item, i);
    times.push(Number(process.hrtime.bigint() - start) / 1000);
  }
  return times;
}
