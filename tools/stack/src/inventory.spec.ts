import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NewDevice, validate } from '@muster/contracts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { nodesOf, readInventory, type Site } from './inventory.js';
import { DEFAULT_INVENTORY } from './workspace.js';

const HEAD = 'site,name,city,country,country_code,latitude,longitude,timezone';
const paris: Site = {
  site: 'par',
  city: 'Paris',
  country: 'France',
  country_code: 'FR',
  latitude: 48.86,
  longitude: 2.35,
  timezone: 'Europe/Paris',
};

describe('readInventory', () => {
  let folder: string;
  const write = async (name: string, text: string) => {
    await writeFile(join(folder, name), text);
    return join(folder, name);
  };

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'muster-inventory-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('given the inventory of the project, then it has 107 sites and 321 valid nodes', async () => {
    const nodes = nodesOf(await readInventory(DEFAULT_INVENTORY));

    expect(nodes).toHaveLength(321);
    expect(nodes.flatMap((node) => validate(NewDevice, node))).toEqual([]);
    expect(nodes[0]).toMatchObject({ name: 'atl-1', timezone: 'America/New_York', attributes: { city: 'Atlanta' } });
  });

  it('given CSV with quoted fields, CRLF and empty lines, then every site is read', async () => {
    const file = await write('a.csv', `${HEAD}\r\n\r\npar,,"Paris, ""City""",France,FR,48.86,2.35,Europe/Paris\r\n`);

    expect(await readInventory(file)).toEqual([{ ...paris, city: 'Paris, "City"' }]);
  });

  it('given JSON as a list or an object, then every site is read', async () => {
    expect(await readInventory(await write('a.json', JSON.stringify([paris])))).toEqual([paris]);
    expect(await readInventory(await write('b.json', JSON.stringify({ sites: [paris] })))).toEqual([paris]);
  });

  it.each([
    [
      'a.csv',
      `${HEAD}\npar,,Paris,France,FR,91,2,Europe/Paris`,
      'a.csv:2: latitude must be a number from -90 to 90, not "91"',
    ],
    ['a.csv', `${HEAD}\npar,,"Pa\nris",France,FR,1,2,Europe/Paris\nb,,B,B,FR,1,x,UTC`, 'a.csv:4: longitude'],
    ['a.csv', `${HEAD}\npar,,Paris,France,FR,1,2,Mars/Base`, 'a.csv:2: timezone'],
    ['a.csv', `${HEAD}\npar,,Paris,France,FR,1,2,+01:00`, 'a.csv:2: timezone must be an IANA time zone'],
    ['a.csv', `${HEAD}\npar,,Paris,France,fr,1,2,UTC`, 'a.csv:2: country_code must be two capital letters'],
    ['a.csv', `${HEAD}\n../x,,Paris,France,FR,1,2,UTC`, 'a.csv:2: site'],
    ['a.csv', `${HEAD}\npar,,Paris`, 'a.csv:2: has 3 fields, the head has 8'],
    ['a.csv', `${HEAD},color\npar,,Paris,France,FR,1,2,UTC,red`, 'a.csv:2: color: unknown field'],
    ['a.csv', `${HEAD}\na,,A,A,FR,1,2,UTC\na,,A,A,FR,1,2,UTC`, 'a.csv:3: site a is already in'],
    ['a.csv', `${HEAD}\na,,"A,A,FR`, 'a.csv: line 2: a quoted field does not end'],
    ['a.csv', HEAD, 'a.csv: names no site'],
    ['a.csv', '', 'a.csv: is empty'],
    ['a.json', '[{"site":"a"}]', 'a.json: entry 1: city is missing'],
    ['a.json', '[1]', 'a.json: entry 1: must be an object'],
    ['a.json', '{"site":"a"}', 'a.json: must be a list of sites'],
    ['a.json', '{', 'a.json: is not JSON'],
  ])('given %s with a mistake, then the message says where and what', async (name, text, message) => {
    await expect(readInventory(await write(name, text))).rejects.toThrow(message);
  });
});

describe('nodesOf', () => {
  const names = (sites: Site[], count?: number) => nodesOf(sites, count).map(({ name }) => name);
  const berlin = { ...paris, site: 'ber', name: 'berlin' };

  it('given no count, then a site has three nodes, and one that names its node has this one', () => {
    expect(names([paris, berlin])).toEqual(['par-1', 'par-2', 'par-3', 'berlin']);
  });

  it('given a count, then so many are spread evenly over the sites', () => {
    expect(names([paris, berlin], 1)).toEqual(['par-1']);
    expect(names([paris, berlin], 5)).toEqual(['par-1', 'par-2', 'par-3', 'berlin', 'berlin-2']);
  });

  it('given sites whose nodes would share a name, then it is refused', () => {
    expect(() => nodesOf([paris, { ...paris, site: 'x', name: 'par-1' }])).toThrow('two nodes would be named par-1');
  });
});
