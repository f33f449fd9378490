// What the plugins really send, and the answers their cases make up, as klinke-case prints them.
import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const build = process.env.KLINKE_BUILD ?? `${root}build`;
const runner = `${build}/host/plugin/klinke-case`;
const run = promisify(execFile);

export function caseFiles(plugin) {
  const folder = `${root}plugins/${plugin}/cases/`;
  return readdirSync(folder).filter((name) => name.endsWith('.json')).sort()
    .map((name) => folder + name);
}

// mode: "requests" or "answers". Objects in the order of the cases.
export async function printed(mode, plugin) {
  const out = await output([`--${mode}`], plugin, caseFiles(plugin));
  return out.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
}

// Runs case files (by default none but those given) and tells which cases passed: Map name -> bool.
export async function verdicts(plugin, files) {
  const out = await output([], plugin, files);
  const lines = out.matchAll(/^(not )?ok \d+ - (.*)$/gm);
  return new Map([...lines].map(([, failed, name]) => [name, !failed]));
}

async function output(options, plugin, files) {
  const library = `${build}/plugins/${plugin}/${plugin}.so`;
  for (const path of [runner, library])
    if (!existsSync(path))
      throw new Error(`${path} is missing: run ./dev build, or set KLINKE_BUILD to a build folder`);
  const limits = { maxBuffer: 256 * 1024 * 1024, timeout: 120_000 };
  try {
    return (await run(runner, [...options, library, ...files], limits)).stdout;
  } catch (problem) {
    // 1: some case failed, which the plugin's own tests tell; its requests are printed all the same
    if (problem.code === 1) return problem.stdout;
    throw new Error(`klinke-case ended with ${problem.code ?? problem.signal}: ${problem.stderr}`);
  }
}
