// Each entry of overlay.yaml is needed: without it the sample it names comes out wrong.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Contract } from '../lib/contract.js';
import { overlay } from '../lib/documents.js';
import { answers, requests } from '../lib/samples.js';

function samples(document, kind, name) {
  const named = (list) => list.filter((one) => one.vendor === document && one.name === name);
  return { requests: named(requests(kind)), answers: named(answers(kind)) };
}

// A validator that cannot even be compiled has not taken the sample either.
function faultsOf(judge) {
  try {
    return judge();
  } catch (problem) {
    return [problem.message];
  }
}

for (const entry of overlay)
  test(`${entry.document}: ${entry.because}`, async () => {
    const [[kind, name]] = Object.entries(entry.proves);
    const found = samples(entry.document, kind, name);
    assert.ok(found.requests.length + found.answers.length > 0, `there is no sample "${name}"`);
    assert.match(entry.because, /\((retell|calcom|whatsapp) §/, 'cites no section');
    const bare = await Contract.of(entry.document, entry);
    const all = [...found.requests.map((one) => [one, faultsOf(() => bare.request(one))]),
      ...found.answers.map((one) => [one, faultsOf(() => bare.answer(one))])];
    const wrong = all.some(([one, faults]) => (kind === 'good' ? faults.length > 0
      : !faults.some((fault) => fault.includes(one.says))));
    assert.ok(wrong, `"${name}" comes out right without this entry: remove it`);
  });
