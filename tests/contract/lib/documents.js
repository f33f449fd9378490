// The vendors' OpenAPI documents, mended by overlay.yaml.
// Reads only files of this folder; never the network.
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { JSONPathEnvironment } from 'json-p3';
import YAML from 'yaml';

const here = new URL('../', import.meta.url);
const paths = new JSONPathEnvironment();
const METHODS = ['get', 'put', 'post', 'patch', 'delete'];

// base: what a URL begins with before the document's own path.
export const VENDORS = {
  retell: { file: 'retell-openapi.json', base: /^https?:\/\/[^/]+(?=\/)/ },
  calcom_v1: { file: 'calcom-v1-openapi.json', base: /^https?:\/\/[^/]+(\/api)?\/v1(?=\/)/ },
  calcom_v2: { file: 'calcom-v2-openapi.json', base: /^https?:\/\/[^/]+(?=\/v2\/)/ },
  whatsapp: { file: 'whatsapp-openapi.yaml', base: /^https?:\/\/[^/]+(?=\/v\d+\.\d+\/)/ },
};

const texts = {}; // as JSON, since reading YAML takes a hundred times longer

export function original(vendor) {
  const { file } = VENDORS[vendor];
  texts[vendor] ??= asJson(gunzipSync(readFileSync(new URL(`vendor/${file}.gz`, here))), file);
  return JSON.parse(texts[vendor]);
}

function asJson(bytes, file) {
  const text = bytes.toString();
  return file.endsWith('.yaml') ? JSON.stringify(YAML.parse(text, { maxAliasCount: -1 })) : text;
}

export function readYaml(name) {
  return YAML.parse(readFileSync(new URL(name, here), 'utf8'));
}

// All entries of overlay.yaml: {document, because, proves, actions}.
export const overlay = readYaml('overlay.yaml').entries;

// The document of a vendor with its entries applied; without: one entry to leave out.
export function mended(vendor, without) {
  const document = original(vendor);
  for (const entry of overlay)
    if (entry.document === vendor && entry !== without)
      entry.actions.forEach((action) => apply(document, action));
  nameOperations(document);
  return document;
}

// One action as the OpenAPI Overlay Specification 1.0 defines it. A target that is not there is
// an error here: it would be a repair of something that the vendor has repaired meanwhile.
function apply(document, { target, update, remove }) {
  const nodes = paths.query(target, document).nodes;
  if (nodes.length === 0) throw new Error(`overlay: ${target} names nothing in the document`);
  for (const node of nodes)
    if (remove) removeAt(document, node.location);
    else mergeInto(document, node.location, structuredClone(update));
}

function parentOf(document, location) {
  return location.slice(0, -1).reduce((value, key) => value[key], document);
}

function removeAt(document, location) {
  const parent = parentOf(document, location);
  const key = location.at(-1);
  if (Array.isArray(parent)) parent.splice(key, 1);
  else delete parent[key];
}

function mergeInto(document, location, update) {
  if (location.length === 0) merge(document, update);
  else {
    const parent = parentOf(document, location);
    parent[location.at(-1)] = merge(parent[location.at(-1)], update);
  }
}

function merge(old, update) {
  if (Array.isArray(old)) return [...old, ...(Array.isArray(update) ? update : [update])];
  if (!isObject(old) || !isObject(update)) return update;
  for (const [key, value] of Object.entries(update))
    old[key] = key in old ? merge(old[key], value) : value;
  return old;
}

export function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

// The validator finds operations by id; some have none, and ids need not be unique.
function nameOperations(document) {
  for (const [path, item] of Object.entries(document.paths))
    for (const method of METHODS)
      if (item[method]) item[method].operationId = `${method.toUpperCase()} ${path}`;
}
