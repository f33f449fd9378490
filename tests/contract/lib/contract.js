// Is this request, or this answer, what the vendor's document says?
// The judging is openapi-backend's (Ajv); here is only what it leaves to its users.
import Ajv2020 from 'ajv/dist/2020.js';
import Draft04 from 'ajv-draft-04';
import addFormats from 'ajv-formats';
import { OpenAPIBackend } from 'openapi-backend';
import { VENDORS, isObject, mended } from './documents.js';

export class Contract {
  // without: an entry of the overlay to leave out.
  static async of(vendor, without) {
    const contract = new Contract();
    contract.vendor = vendor;
    contract.requests = await backend(mended(vendor, without));
    contract.answers = await backend(relaxed(mended(vendor, without)));
    return contract;
  }

  // Faults of a request as klinke-case prints it, as sentences; [] when there are none.
  request(request) {
    const [found, problem] = this.#find(request);
    if (problem) return [problem];
    const faults = found.map((operation) => this.#requestFaults(operation, request));
    return faults.find((list) => list.length === 0) ?? faults[0];
  }

  // Faults of an answer {method, url, status, body}. Cases may shorten an answer, so members may
  // be missing; those that are there must be what the document says.
  answer(answer) {
    const [found, problem] = this.#find(answer);
    if (problem) return [problem];
    const faults = found.map((operation) => this.#answerFaults(operation, answer));
    return faults.find((list) => list.length === 0) ?? faults[0];
  }

  // The operations that a method and URL can mean; several when path templates overlap.
  #find({ method, url }) {
    const base = VENDORS[this.vendor].base.exec(url);
    if (!base) return [null, `${url} is not below the vendor's base URL`];
    const path = url.slice(base[0].length).split('?')[0];
    const fits = this.requests.router.getOperations().filter((operation) =>
      operation.method === method.toLowerCase() && pattern(operation.path).test(path));
    if (fits.length === 0) return [null, `the document has no ${method} ${path}`];
    const fixed = (operation) => operation.path.replace(/\{.*?\}/g, '').length;
    const most = Math.max(...fits.map(fixed));
    return [fits.filter((operation) => fixed(operation) === most), null];
  }

  #requestFaults(operation, request) {
    const faults = [];
    const sent = { method: request.method, ...this.#located(request), headers: {} };
    for (const [name, value] of request.headers ?? []) sent.headers[name.toLowerCase()] = value;
    this.#authorize(operation, request, sent, faults);
    this.#attachBody(operation, request, sent, faults);
    const result = this.requests.validator.validateRequest(sent, operation);
    return faults.concat(sentences(result.errors));
  }

  // The credential is applied by the host, after the plugin: here a stand-in takes its place.
  #authorize(operation, request, sent, faults) {
    const [kind, name] = (request.auth ?? 'none').split(':');
    if (kind === 'bearer') sent.headers.authorization = 'Bearer stand-in';
    if (kind === 'header') sent.headers[name.toLowerCase()] = 'stand-in';
    if (kind === 'query') {
      const declared = operation.parameters.some((p) => p.in === 'query' && p.name === name);
      const known = declared || this.#schemes(operation).some((s) => s.name === name);
      if (!known) faults.push(`no credential ${name} in the query is declared`);
      if (declared) sent.query += `${sent.query && '&'}${name}=stand-in`;
    }
    const wanted = this.#schemes(operation);
    if (wanted.length > 0 && !wanted.some((scheme) => satisfies(scheme, kind, name)))
      faults.push(`the operation wants a credential, the request has ${request.auth ?? 'none'}`);
  }

  #schemes(operation) {
    const schemes = this.requests.document.components?.securitySchemes ?? {};
    return (operation.security ?? []).flatMap((one) => Object.keys(one))
      .map((key) => schemes[key]).filter(Boolean);
  }

  #attachBody(operation, request, sent, faults) {
    if (request.body === null || request.body === undefined || request.body === '') return;
    const types = Object.keys(operation.requestBody?.content ?? {});
    const type = (request.content_type ?? '').split(';')[0].trim();
    if (types.length === 0) faults.push('the document declares no body for this operation');
    else if (!types.includes(type)) faults.push(`content type ${type}, declared: ${types}`);
    sent.headers['content-type'] = type;
    try {
      sent.body = typeof request.body === 'string' ? JSON.parse(request.body) : request.body;
    } catch (problem) {
      faults.push(`the body is not JSON: ${problem.message}`);
    }
  }

  #located({ url }) {
    const rest = url.slice(VENDORS[this.vendor].base.exec(url)[0].length);
    const [path, query] = rest.split('?');
    return { path, query: query ?? '' };
  }

  #answerFaults(operation, { status, body }) {
    const declared = Object.keys(operation.responses ?? {});
    const known = declared.some((code) => code === String(status) || code === 'default'
      || code.toUpperCase() === `${String(status)[0]}XX`);
    // None of the documents lists all errors, so an undeclared one proves nothing.
    if (!known) return status < 300 ? [`status ${status}, declared: ${declared}`] : [];
    const result = this.answers.validator.validateResponse(body, operation.operationId, status);
    return sentences(result.errors);
  }
}

async function backend(definition) {
  const Dialect = definition.openapi.startsWith('3.0') ? Draft04 : Ajv2020;
  const api = new OpenAPIBackend({
    definition,
    quick: true, // compile what is used; the documents have more than 500 operations
    // Draft 4 forbids an empty "required", which openapi-backend writes; so it is not checked
    // whether the schemas themselves are well-formed.
    ajvOpts: { strict: false, allErrors: true, logger: false, validateSchema: Dialect === Ajv2020 },
    customizeAjv: (_, options) => addFormats(new Dialect(options)),
  });
  await api.init();
  return api;
}

// Every member optional, and "one of" as "any of": without required members branches overlap.
function relaxed(value) {
  if (Array.isArray(value)) return value.map(relaxed);
  if (!isObject(value)) return value;
  const out = {};
  for (const [key, inner] of Object.entries(value)) {
    if (key === 'required' && Array.isArray(inner)) continue;
    out[key === 'oneOf' && Array.isArray(inner) ? 'anyOf' : key] = relaxed(inner);
  }
  return out;
}

function satisfies(scheme, kind, name) {
  if (scheme.type === 'http') return scheme.scheme === kind;
  if (scheme.type === 'apiKey') return scheme.in === kind && scheme.name === name;
  return kind === 'bearer'; // oauth2, openIdConnect
}

function pattern(path) {
  const escaped = path.replace(/[.*+?^$()|[\]\\]/g, '\\$&');
  return new RegExp(`^${escaped.replace(/\{.*?\}/g, '[^/]+')}$`);
}

// The deepest first: at a choice of schemas those come from the branch that was meant.
function sentences(errors) {
  const depth = (error) => error.instancePath.split('/').length;
  const sorted = [...(errors ?? [])].sort((a, b) => depth(b) - depth(a));
  return [...new Set(sorted.map((error) => {
    const facts = JSON.stringify(error.params ?? {});
    return `${error.instancePath || '/'} ${error.message} ${facts}`;
  }))];
}
