/** Gives Sluice an order, such as `pause?service=codec`; what it did, or why not, in a sentence. */
export async function giveOrder(order) {
  try {
    const headers = { 'x-sluice-order': '1', 'x-sluice-by': 'the page' };
    const answer = await fetch(order, { method: 'POST', headers });
    return (await answer.text()).trim();
  } catch {
    return 'Sluice cannot be reached.';
  }
}
