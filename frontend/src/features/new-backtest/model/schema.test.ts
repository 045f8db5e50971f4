import { describe, expect, it } from 'vitest';
import { blank, type Field, fieldsOf, limitProblem, pointersIn } from './schema';

const field = (property: object, more: object = {}): Field => {
  const [one] = fieldsOf({ properties: { x: property }, ...more });
  if (!one) throw new Error('no field');
  return one.field;
};

describe('fields of a JSON Schema', () => {
  it('are numbers with limits, a step and a range to try', () => {
    expect(field({ type: 'integer', minimum: 1, maximum: 5000, sensible: [5, 50], step: 5 })).toEqual({
      kind: 'number',
      integer: true,
      nullable: false,
      least: 1,
      most: 5000,
      step: 5,
      sensible: [5, 50],
    });
    expect(field({ type: 'number', exclusiveMinimum: 0, exclusiveMaximum: 1 })).toMatchObject({
      integer: false,
      above: 0,
      below: 1,
      step: 0.1,
    });
  });

  it('are choices, by enum, const or a union of consts', () => {
    const options = ['level', 'cross'];
    expect(field({ enum: options, type: 'string' })).toEqual({ kind: 'choice', options, nullable: false });
    expect(field({ enum: ['a', null] })).toEqual({ kind: 'choice', options: ['a'], nullable: true });
    expect(field({ const: 'a' })).toMatchObject({ kind: 'choice', options: ['a'] });
    expect(field({ oneOf: [{ const: 1 }, { const: 2 }] })).toMatchObject({ kind: 'choice', options: [1, 2] });
  });

  it('may be null, in each of the ways that this is written', () => {
    const inside = { type: 'number', maximum: 10 };
    expect(field({ anyOf: [inside, { type: 'null' }], step: 0.5 })).toMatchObject({
      kind: 'number',
      nullable: true,
      most: 10,
      step: 0.5,
    });
    expect(field({ type: ['boolean', 'null'] })).toEqual({ kind: 'boolean', nullable: true });
    expect(field({ anyOf: [{ type: 'string' }, { type: 'null' }] })).toMatchObject({
      kind: 'text',
      nullable: true,
    });
  });

  it('are lists, maps and objects, through references', () => {
    const defs = { $defs: { Leg: { type: 'object', properties: { w: { type: 'number', default: 1 } } } } };
    expect(field({ type: 'array', items: { type: 'integer' }, maxItems: 4 })).toMatchObject({
      kind: 'list',
      most: 4,
      item: { kind: 'number', integer: true },
    });
    expect(
      field({ type: 'object', additionalProperties: { type: 'number' }, maxProperties: 9 }),
    ).toMatchObject({
      kind: 'map',
      most: 9,
      value: { kind: 'number' },
    });
    expect(field({ anyOf: [{ $ref: '#/$defs/Leg' }, { type: 'null' }] }, defs)).toMatchObject({
      kind: 'object',
      nullable: true,
      fields: [{ name: 'w', default: 1, field: { kind: 'number' } }],
    });
    expect(field({ allOf: [{ $ref: '#/$defs/Leg' }] }, defs)).toMatchObject({ kind: 'object' });
  });

  it('take a number or a text as it is written, and anything else as JSON', () => {
    expect(field({ anyOf: [{ type: 'number' }, { type: 'string' }] }).kind).toBe('scalar');
    for (const odd of [
      {},
      { type: 'object' },
      { $ref: '#/nowhere' },
      { anyOf: [{ type: 'array' }, { type: 'number' }] },
    ]) {
      expect(field(odd).kind).toBe('any');
    }
  });

  it('end somewhere, even where a schema is a part of itself', () => {
    const defs = { $defs: { Node: { type: 'object', properties: { next: { $ref: '#/$defs/Node' } } } } };
    expect(JSON.stringify(field({ $ref: '#/$defs/Node' }, defs))).toContain('"any"');
    expect(field({ $ref: '#/$defs/Loop' }, { $defs: { Loop: { $ref: '#/$defs/Loop' } } }).kind).toBe('any');
  });

  it('know their defaults and which are required', () => {
    const [one] = fieldsOf({
      properties: { a: { type: 'integer', default: 3, description: 'Bars.' } },
      required: ['a'],
    });
    expect(one).toMatchObject({ name: 'a', default: 3, description: 'Bars.', required: true });
    expect(fieldsOf({})).toEqual([]);
  });
});

describe('limits', () => {
  it('say what is allowed', () => {
    const whole = { integer: true, least: 1, most: 5000 };
    expect(limitProblem(20, whole)).toBeNull();
    expect(limitProblem(20.5, whole)).toEqual({ code: 'whole' });
    expect(limitProblem(0, whole)).toEqual({ code: 'between', low: 1, high: 5000 });
    expect(limitProblem(0, { integer: false, above: 0, most: 100 })).toEqual({
      code: 'above_to',
      low: 0,
      high: 100,
    });
    expect(limitProblem(-1, { integer: false, least: 0 })).toEqual({ code: 'at_least', low: 0 });
    expect(limitProblem(0, { integer: false, above: 0 })).toEqual({ code: 'above', low: 0 });
    expect(limitProblem(2, { integer: false, most: 1 })).toEqual({ code: 'at_most', high: 1 });
    expect(limitProblem(1, { integer: false, least: 0, below: 1 })).toEqual({ code: 'below', high: 1 });
  });
});

describe('new entries', () => {
  it('begin with something that is allowed', () => {
    expect(blank(field({ type: 'number', minimum: -100, maximum: 100 }))).toBe(0.1);
    expect(blank(field({ type: 'integer', minimum: 5, sensible: [10, 20] }))).toBe(10);
    expect(blank(field({ enum: ['b', 'a'] }))).toBe('b');
    expect(blank(field({ type: 'object', properties: { w: { type: 'number', default: 2 } } }))).toEqual({
      w: 2,
    });
    expect(blank(field({ type: ['string', 'null'] }))).toBeNull();
  });
});

describe('pointers', () => {
  it('reach every input inside a value', () => {
    const weights = field({ type: 'object', additionalProperties: { type: 'number' } });
    expect(pointersIn(weights, { 'a/b': 1 }, '/parameters/weights')).toEqual([
      '/parameters/weights',
      '/parameters/weights/a~1b',
    ]);
    const legs = field({ type: 'array', items: { type: 'object', properties: { w: { type: 'number' } } } });
    expect(pointersIn(legs, [{ w: 1 }], '/p')).toEqual(['/p', '/p/0', '/p/0/w']);
    expect(pointersIn(legs, null, '/p')).toEqual(['/p']);
  });
});
