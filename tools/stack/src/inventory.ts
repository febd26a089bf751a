import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { isTimeZone, type NewDevice } from '@muster/contracts';
import { parseCsv } from './csv.js';
import { messageOf, UsageError } from './errors.js';

/** A place that nodes stand at. */
export interface Site {
  site: string;
  /** Name of its node; without one, nodes are named after the site and numbered. */
  name?: string;
  city: string;
  country: string;
  /** ISO 3166-1 alpha-2. */
  country_code: string;
  /** Degrees. */
  latitude: number;
  longitude: number;
  /** IANA name. */
  timezone: string;
}

const NODES_PER_SITE = 3;
/** Node names are also names of folders and of URLs. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

type Row = { where: string; values: Record<string, unknown> };

const FIELDS = ['site', 'name', 'city', 'country', 'country_code', 'latitude', 'longitude', 'timezone'];

function siteOf({ where, values }: Row): Site {
  const text = (field: string, ok: (value: string) => boolean, rule: string) => {
    const value = values[field];
    if (typeof value !== 'string' || !ok(value)) {
      throw new UsageError(
        `${where}: ${field} ${value === undefined || value === '' ? `is missing: it must be ${rule}` : `must be ${rule}, not ${JSON.stringify(value)}`}`,
      );
    }
    return value;
  };
  const degrees = (field: string, most: number) => {
    const value = values[field];
    const number = typeof value === 'string' && value !== '' ? Number(value) : value;
    if (typeof number === 'number' && Math.abs(number) <= most) return number;
    throw new UsageError(
      `${where}: ${field} must be a number from -${most} to ${most}, not ${JSON.stringify(value ?? '')}`,
    );
  };
  const unknown = Object.keys(values).find((field) => !FIELDS.includes(field));
  if (unknown !== undefined) throw new UsageError(`${where}: ${unknown}: unknown field (${FIELDS.join(', ')})`);
  const isName = (value: string) => NAME.test(value);
  const isText = (value: string) => value.trim() !== '' && value.length <= 200;
  const name =
    values.name === undefined || values.name === '' ? undefined : text('name', isName, 'letters, digits, . _ -');
  return {
    site: text('site', isName, 'letters, digits, . _ -'),
    ...(name === undefined ? {} : { name }),
    city: text('city', isText, 'a text'),
    country: text('country', isText, 'a text'),
    country_code: text('country_code', (value) => /^[A-Z]{2}$/.test(value), 'two capital letters'),
    latitude: degrees('latitude', 90),
    longitude: degrees('longitude', 180),
    timezone: text('timezone', isTimeZone, 'an IANA time zone such as Europe/Paris'),
  };
}

function csvRows(file: string, text: string): Row[] {
  let records;
  try {
    records = parseCsv(text);
  } catch (error) {
    throw new UsageError(`${file}: ${messageOf(error)}`);
  }
  const [head, ...rest] = records;
  if (!head) throw new UsageError(`${file}: is empty`);
  return rest.map(({ line, fields }) => {
    const where = `${file}:${line}`;
    if (fields.length !== head.fields.length) {
      throw new UsageError(`${where}: has ${fields.length} fields, the head has ${head.fields.length}`);
    }
    return { where, values: Object.fromEntries(head.fields.map((name, index) => [name, fields[index]])) };
  });
}

function jsonRows(file: string, text: string): Row[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new UsageError(`${file}: is not JSON: ${messageOf(error)}`);
  }
  const sites = Array.isArray(value) ? (value as unknown[]) : (value as { sites?: unknown } | null)?.sites;
  if (!Array.isArray(sites)) throw new UsageError(`${file}: must be a list of sites, or an object with a list "sites"`);
  return sites.map((values: unknown, index) => {
    const where = `${file}: entry ${index + 1}`;
    if (typeof values !== 'object' || values === null || Array.isArray(values))
      throw new UsageError(`${where}: must be an object`);
    return { where, values: values as Record<string, unknown> };
  });
}

/**
 * Reads the sites of a CSV file (first line: column names) or a JSON file (a list, or an object with a list `sites`).
 * @throws UsageError naming the file, the line (of JSON: the entry) and the field that cannot be used.
 */
export async function readInventory(file: string): Promise<Site[]> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw new UsageError(`--inventory: ${messageOf(error)}`);
  }
  const rows = extname(file).toLowerCase() === '.json' ? jsonRows(file, text) : csvRows(file, text);
  if (rows.length === 0) throw new UsageError(`${file}: names no site`);
  const seen = new Map<string, string>();
  return rows.map((row) => {
    const site = siteOf(row);
    const key = site.name ?? site.site;
    const before = seen.get(key);
    if (before) throw new UsageError(`${row.where}: ${site.name ? 'name' : 'site'} ${key} is already in ${before}`);
    seen.set(key, row.where);
    return site;
  });
}

const nodeNames = ({ site, name }: Site, count: number) =>
  Array.from({ length: count }, (_, index) => {
    if (name === undefined) return `${site}-${index + 1}`;
    return index === 0 ? name : `${name}-${index + 1}`;
  });

/**
 * The nodes of the sites: three at each, one at a site that names its node; or, with `count`, so many altogether, spread evenly.
 * @throws UsageError when two of them would have the same name.
 */
export function nodesOf(sites: readonly Site[], count?: number): NewDevice[] {
  const share = (index: number, site: Site) => {
    if (count === undefined) return site.name === undefined ? NODES_PER_SITE : 1;
    return Math.floor(count / sites.length) + (index < count % sites.length ? 1 : 0);
  };
  const nodes = sites.flatMap((site, index) => {
    const { timezone, site: code, city, country, country_code, latitude, longitude } = site;
    const attributes = { site: code, city, country, country_code, latitude, longitude };
    const tags = ['edge', `site:${code}`];
    return nodeNames(site, share(index, site)).map((name) => ({ name, type: 'edge-node', timezone, tags, attributes }));
  });
  const names = new Set<string>();
  for (const { name } of nodes) {
    if (names.has(name)) throw new UsageError(`--inventory: two nodes would be named ${name}`);
    names.add(name);
  }
  return nodes;
}
