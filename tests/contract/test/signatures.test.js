// Signatures both ways: what the vendors sign, our plugins take, and nothing else; what our sandbox
// signs, the vendors' own code and their published schemes take.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { sandboxSigns, verdictsOf } from '../lib/signatures.js';
import { sign, verify } from 'retell-sdk';

const KEY = 'key_test_4f9c1b7a2e63d805';
const BODIES = [
  '{"event":"call_ended"}',
  '{"event":"call_ended","call":{"transcript":"User: Grüße, schön 👍 \\u00e4 https://x.example/"}}',
  '',
  JSON.stringify({ event: 'call_analyzed', filler: 'ü'.repeat(200_000) }),
];
const hex = (secret, body) => createHmac('sha256', secret).update(body).digest('hex');

// [name, header, body] of forgeries of a good webhook; every one must be refused.
function forgeries(header, body, name) {
  const digest = /[0-9a-f]{64}/.exec(header)[0];
  const flipped = digest.replace(/^./, (c) => (c === '0' ? '1' : '0'));
  return [
    [`${name}: a changed digit`, header.replace(digest, flipped), body],
    [`${name}: 63 digits`, header.replace(digest, digest.slice(1)), body],
    [`${name}: 65 digits`, header.replace(digest, `${digest}0`), body],
    [`${name}: another prefix`, header.replace(/^[^=]*(=|$)/, 'sha1='), body],
    [`${name}: a line end added`, header, `${body}\n`],
    [`${name}: one letter changed`, header, body.replace(/e/, 'E') || ' '],
    [`${name}: no header`, null, body],
  ];
}

async function refused(plugin, secrets, now, headerName, list) {
  const hooks = list.map(([name, header, body]) => ({
    name, secrets, now, body, headers: header === null ? [] : [[headerName, header]] }));
  const said = await verdictsOf(plugin, hooks);
  assert.deepEqual(said.map((kind, i) => [list[i][0], kind]).filter(([, kind]) =>
    kind !== 'reject' && kind !== 'reject_mac'), []);
}

async function accepted(plugin, hooks) {
  assert.deepEqual(await verdictsOf(plugin, hooks), hooks.map(() => 'accept'));
}

// ---- Retell, with its own SDK ---------------------------------------------------------------

async function signedByRetell() {
  return Promise.all(BODIES.map(async (body, i) => {
    const header = await sign(body, KEY);
    return { name: `body ${i}`, secrets: { api_key: [KEY] }, body,
      now: Number(/\d+/.exec(header)[0]), headers: [['X-Retell-Signature', header]] };
  }));
}

test('retell: what the vendor SDK signs, the plugin takes', async () => {
  await accepted('retell', await signedByRetell());
});

test('retell: what the vendor SDK refuses, the plugin refuses', async () => {
  const [hook] = await signedByRetell();
  const list = forgeries(hook.headers[0][1], hook.body, 'retell');
  for (const [name, header, body] of list)
    assert.equal(await verify(body, KEY, header ?? ''), false, `the vendor takes "${name}"`);
  await refused('retell', hook.secrets, hook.now, 'X-Retell-Signature', list);
});

test('retell: what the sandbox signs, the vendor SDK takes', async () => {
  for (const body of BODIES) {
    const sent = await sandboxSigns({ vendor: 'retell', secret: KEY, body });
    const header = sent.headers['X-Retell-Signature'];
    assert.equal(await verify(sent.body.toString(), KEY, header), true);
    assert.equal(await verify(`${sent.body} `, KEY, header), false);
    assert.equal(await verify(sent.body.toString(), 'another key', header), false);
  }
});

test('retell: what the sandbox signs, the plugin takes', async () => {
  const sent = await sandboxSigns({ vendor: 'retell', secret: KEY, body: BODIES[1] });
  const headers = Object.entries(sent.headers);
  const now = Number(/\d+/.exec(sent.headers['X-Retell-Signature'])[0]);
  await accepted('retell', [{ name: 'x', secrets: { api_key: [KEY] }, now, headers,
    body: sent.body }]);
});

// ---- WhatsApp: whatsapp §10 -----------------------------------------------------------------

const APP_SECRET = '0123456789abcdef0123456789abcdef';
const WA_SECRETS = { token: ['t'], app_secret: [APP_SECRET], verify_token: ['v'] };
const WA_NOW = 1793610000000;
const VECTORS = [
  ['{"object":"whatsapp_business_account","entry":[]}',
    'eefab58106e73358686845848feb95c56372e7391b3dc050b6a31c8c5f347ece'],
  [String.raw`{"object":"whatsapp_business_account","entry":[{"id":"102000000000001","changes":[{"value":{"messaging_product":"whatsapp","metadata":{"display_phone_number":"493023125010","phone_number_id":"106000000000001"},"contacts":[{"profile":{"name":"J\u00f6rg M\u00fcller"},"wa_id":"491713920042"}],"messages":[{"from":"491713920042","id":"wamid.TESTVECTOR0001","timestamp":"1793610000","type":"text","text":{"body":"Gr\u00fc\u00dfe \ud83d\udc4d https:\/\/praxis.example\/t"}}]},"field":"messages"}]}]}`,
    '25a699fbcf941710a3b81c13a848cde13df8d247fe1e225d98880c8badb641f9'],
];
const reprinted = JSON.stringify(JSON.parse(VECTORS[1][0]));
const reescaped = reprinted.replace(/[\u0080-\uffff]/g, (c) =>
  `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);

test('whatsapp: the published vectors are taken', async () => {
  assert.deepEqual(VECTORS.map(([body]) => body.length), [49, 494]);
  await accepted('whatsapp', VECTORS.map(([body, digest], i) => ({ name: `vector ${'AB'[i]}`,
    secrets: WA_SECRETS, now: WA_NOW, body,
    headers: [['X-Hub-Signature-256', `sha256=${digest}`]] })));
});

test('whatsapp: signatures over a re-printed body are refused', async () => {
  const wrong = [[reprinted, 'ff3dc41e95df1e3384a4bc0e1ce081769677f581fdc6749d7c708c824cdfc7e5'],
    [reescaped, 'ff70ee16bdfda778ef15908ae66797269173316afaa3085c31f8468d751ab514']];
  for (const [text, digest] of wrong) assert.equal(hex(APP_SECRET, text), digest);
  await refused('whatsapp', WA_SECRETS, WA_NOW, 'X-Hub-Signature-256', [
    ...wrong.map(([, digest], i) => [`re-printed ${i}`, `sha256=${digest}`, VECTORS[1][0]]),
    ...forgeries(`sha256=${VECTORS[0][1]}`, VECTORS[0][0], 'A'),
    ...forgeries(`sha256=${VECTORS[1][1]}`, VECTORS[1][0], 'B'),
  ]);
});

test('whatsapp: the sandbox signs like Meta, over the same bytes', async () => {
  for (const [body, digest] of VECTORS) {
    const sent = await sandboxSigns({ vendor: 'whatsapp', secret: APP_SECRET,
      json: JSON.parse(body) });
    assert.equal(sent.body.toString(), body);
    assert.equal(sent.headers['X-Hub-Signature-256'], `sha256=${digest}`);
  }
});

// ---- Cal.com: calcom §11.3, vector of §12.3 ---------------------------------------------------

const CAL_SECRET = 'lindenhof-webhook-secret';
const CAL_SECRETS = { api_key: ['cal_live_x'], webhook_secret: [CAL_SECRET] };
const CAL_NOW = 1805364906000;
const CAL_BODY = '{"triggerEvent":"BOOKING_CANCELLED","createdAt":"2027-03-18T10:15:02.331Z","payload":{"uid":"t4nB7wQeR2kLmZ8vYc1DpX","bookingId":480213,"eventTypeId":310455,"startTime":"2027-03-30T07:00:00+00:00","endTime":"2027-03-30T07:30:00+00:00","cancellationReason":"Termin durch Patient abgesagt","status":"CANCELLED","requestReschedule":false}}';
const CAL_DIGEST = 'a504ba580cd8c995841b1e5bc0c6f4e19bd55ee15ba611bcda898fdf6f9a61b9';

for (const plugin of ['calcom_v1', 'calcom_v2'])
  test(`${plugin}: the documented scheme is taken, and nothing else`, async () => {
    assert.equal(CAL_BODY.length, 336);
    const umlauts = '{"triggerEvent":"PING","payload":{"title":"Prüfung 👍"}}';
    await accepted(plugin, [[CAL_BODY, CAL_DIGEST], [umlauts, hex(CAL_SECRET, umlauts)]]
      .map(([body, digest], i) => ({ name: `body ${i}`, secrets: CAL_SECRETS, now: CAL_NOW, body,
        headers: [['X-Cal-Signature-256', digest]] })));
    await refused(plugin, CAL_SECRETS, CAL_NOW, 'X-Cal-Signature-256', [
      ...forgeries(CAL_DIGEST, CAL_BODY, 'vector'),
      ['no secret at the vendor', 'no-secret-provided', CAL_BODY],
      ['the prefix of another vendor', `sha256=${CAL_DIGEST}`, CAL_BODY],
      ['another secret', hex('another', CAL_BODY), CAL_BODY],
    ]);
  });

test('calcom: the sandbox signs the documented scheme', async () => {
  const sent = await sandboxSigns({ vendor: 'calcom', secret: CAL_SECRET, body: CAL_BODY });
  assert.equal(sent.headers['X-Cal-Signature-256'], CAL_DIGEST);
});
