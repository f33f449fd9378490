// Signed webhooks: the plugins' verdict on them, and what our sandbox signs.
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { webcrypto } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { verdicts } from './cases.js';

globalThis.crypto ??= webcrypto; // the vendor's SDK wants it global; node 18 has it not there

const KINDS = ['accept', 'reject', 'reject_mac'];
const sandbox = fileURLToPath(new URL('../../../sdk/sandbox', import.meta.url));
const SIGN = `
import base64, json, sys
sys.path.insert(0, sys.argv[1])
sys.dont_write_bytecode = True
from klinke_sandbox.hooks import signature_headers
from klinke_sandbox.whatsapp import escaped
task = json.load(sys.stdin)
body = escaped(task["json"]) if "json" in task else task["body"].encode()
headers = signature_headers(task["vendor"], task["secret"], body)
print(json.dumps({"headers": headers, "body": base64.b64encode(body).decode()}))
`;

// What a plugin says to webhooks: one of KINDS for each of
// {name, secrets, now (ms), headers, body (text or Buffer)}. A case can only confirm a verdict, so
// each is asked for all three; exactly one must hold.
export async function verdictsOf(plugin, hooks) {
  const cases = hooks.flatMap(({ name, secrets, now, headers, body }) => KINDS.map((kind) => ({
    name: `${name} -> ${kind}`,
    secrets,
    now,
    verify: { route: '', method: 'POST', path: '/', headers,
      body: { base64: Buffer.from(body).toString('base64') } },
    expect: { kind },
  })));
  const folder = await mkdtemp(join(tmpdir(), 'klinke-contract-'));
  try {
    const file = join(folder, 'cases.json');
    await writeFile(file, JSON.stringify(cases));
    const passed = await verdicts(plugin, [file]);
    return hooks.map(({ name }) => {
      const holding = KINDS.filter((kind) => passed.get(`${name} -> ${kind}`));
      return holding.length === 1 ? holding[0] : `undecided: ${holding}`;
    });
  } finally {
    await rm(folder, { recursive: true });
  }
}

// Headers and body (Buffer) as our sandbox would send them. task: {vendor, secret, body | json}.
export async function sandboxSigns(task) {
  const running = promisify(execFile)('python3', ['-c', SIGN, sandbox]);
  running.child.stdin.end(JSON.stringify(task));
  const { headers, body } = JSON.parse((await running).stdout);
  return { headers, body: Buffer.from(body, 'base64') };
}
