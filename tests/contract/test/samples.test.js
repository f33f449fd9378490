// The judge itself: takes what is right, and refuses what is wrong, at the right place.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Contract } from '../lib/contract.js';
import { VENDORS } from '../lib/documents.js';
import { answers, requests } from '../lib/samples.js';

for (const vendor of Object.keys(VENDORS))
  test(vendor, async (t) => {
    const contract = await Contract.of(vendor);
    const check = (kind, what, sample, faults) => t.test(`${kind} ${what}: ${sample.name}`, () => {
      if (kind === 'good') assert.deepEqual(faults, []);
      else assert.ok(faults.some((fault) => fault.includes(sample.says)),
        `wanted a fault that says "${sample.says}", got:\n${faults.join('\n')}`);
    });
    for (const kind of ['good', 'bad']) {
      for (const one of requests(kind).filter((sample) => sample.vendor === vendor))
        await check(kind, 'request', one, contract.request(one));
      for (const one of answers(kind).filter((sample) => sample.vendor === vendor))
        await check(kind, 'answer', one, contract.answer(one));
    }
  });
