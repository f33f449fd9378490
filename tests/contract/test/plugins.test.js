// What the plugins send, and what their cases say the vendors answer, against the documents.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { printed } from '../lib/cases.js';
import { Contract } from '../lib/contract.js';
import { VENDORS, isObject, readYaml } from '../lib/documents.js';

const LEAST = 20; // requests of a plugin; fewer means that something printed nothing
const deviations = readYaml('deviations.yaml');

function told(one, faults) {
  const body = typeof one.body === 'string' ? one.body : JSON.stringify(one.body);
  return `${one.case}\n  ${one.method} ${one.url}\n  ${(body ?? '').slice(0, 300)}\n    ${
    faults.slice(0, 6).join('\n    ')}`;
}

function fits(pattern, name) {
  const parts = pattern.split('*').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`).test(name);
}

for (const vendor of Object.keys(VENDORS)) {
  test(`${vendor}: requests`, async (t) => {
    const contract = await Contract.of(vendor);
    const sent = await printed('requests', vendor);
    const faulty = sent.map((one) => [one, contract.request(one)])
      .filter(([, faults]) => faults.length > 0);
    t.diagnostic(`${vendor}: ${sent.length} requests judged`);
    assert.ok(sent.length >= LEAST, `only ${sent.length} requests were printed`);
    assert.deepEqual(faulty.map(([one, faults]) => told(one, faults)), []);
  });

  test(`${vendor}: answers in the cases`, async (t) => {
    const contract = await Contract.of(vendor);
    const made = (await printed('answers', vendor)).filter(({ status, body }) =>
      status >= 200 && status < 600 && (isObject(body) || Array.isArray(body)));
    const unused = new Set(deviations[vendor]);
    const faulty = [];
    for (const one of made) {
      const faults = contract.answer(one);
      const known = deviations[vendor].find((entry) => fits(entry.case, one.case));
      if (faults.length > 0 && known) unused.delete(known);
      else if (faults.length > 0) faulty.push(told(one, faults));
    }
    t.diagnostic(`${vendor}: ${made.length} answers judged`);
    assert.ok(made.length >= LEAST, `only ${made.length} answers were printed`);
    assert.deepEqual(faulty, []);
    assert.deepEqual([...unused].map((entry) => entry.case), [], 'deviations that do not occur');
  });
}
