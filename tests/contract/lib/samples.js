// The hand-made requests and answers of samples/, in the form klinke-case prints them.
import { readYaml } from './documents.js';

export function requests(kind) {
  return flat(readYaml('samples/requests.yaml')[kind]).map(({ json, ...rest }) => ({
    content_type: json === undefined ? null : 'application/json',
    body: json === undefined ? null : JSON.stringify(json),
    ...rest,
  }));
}

export function answers(kind) {
  return flat(readYaml('samples/answers.yaml')[kind]);
}

function flat(byVendor) {
  return Object.entries(byVendor).flatMap(([vendor, list]) =>
    list.map((one) => ({ vendor, ...one })));
}
