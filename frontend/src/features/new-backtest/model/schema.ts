/** A strategy's JSON Schema (2020-12) as fields of a form, and the mistakes that can be seen without asking. */

import { pointerTo } from './pointers';

type Schema = Readonly<Record<string, unknown>>;

interface Common {
  /** May be left empty, which is `null`. */
  nullable: boolean;
}
export interface NumberField extends Common {
  kind: 'number';
  integer: boolean;
  least?: number;
  above?: number;
  most?: number;
  below?: number;
  step: number;
  /** The range worth trying first. */
  sensible?: readonly [number, number];
}
export interface ChoiceField extends Common {
  kind: 'choice';
  options: readonly (string | number)[];
}
export interface TextField extends Common {
  kind: 'text';
  longest?: number;
  pattern?: string;
}
export interface ListField extends Common {
  kind: 'list';
  item: Field;
  least: number;
  most: number;
}
export interface MapField extends Common {
  kind: 'map';
  value: Field;
  most: number;
}
export interface ObjectField extends Common {
  kind: 'object';
  fields: readonly NamedField[];
}
/** A number or a text; `any` is whatever JSON a plug-in may want. */
export interface PlainField extends Common {
  kind: 'boolean' | 'scalar' | 'any';
}
export type Field = NumberField | ChoiceField | TextField | ListField | MapField | ObjectField | PlainField;

export interface NamedField {
  name: string;
  description: string;
  default: unknown;
  required: boolean;
  field: Field;
}

const DEEPEST = 6;
const num = (value: unknown): number | undefined => (typeof value === 'number' ? value : undefined);
const isSchema = (value: unknown): value is Schema =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

/** The fields of a schema of `type: object`, in its order. */
export function fieldsOf(schema: Schema): NamedField[] {
  return properties(schema, schema, 0);
}

function properties(schema: Schema, root: Schema, depth: number): NamedField[] {
  const required = list(schema.required);
  return Object.entries(isSchema(schema.properties) ? schema.properties : {}).map(([name, given]) => {
    const property = isSchema(given) ? given : {};
    return {
      name,
      description: text(property.description),
      default: property.default,
      required: required.includes(name),
      field: fieldOf(property, root, depth),
    };
  });
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '');

function fieldOf(given: Schema, root: Schema, depth: number): Field {
  const schema = resolved(given, root);
  if (depth > DEEPEST) return { kind: 'any', nullable: false };
  const choices = list(schema.anyOf ?? schema.oneOf).filter(isSchema);
  if (choices.length > 0) return union(schema, choices, root, depth);
  const types = Array.isArray(schema.type) ? schema.type : [schema.type];
  const nullable = types.includes('null');
  const others = types.filter((type) => type !== 'null');
  if (schema.const !== undefined) return choice([schema.const], nullable);
  if (Array.isArray(schema.enum)) {
    return choice(
      schema.enum.filter((value) => value !== null),
      nullable || schema.enum.includes(null),
    );
  }
  if (others.length !== 1) return { kind: scalarOr(others), nullable };
  switch (others[0]) {
    case 'integer':
    case 'number':
      return numberField(schema, others[0] === 'integer', nullable);
    case 'boolean':
      return { kind: 'boolean', nullable };
    case 'string':
      return {
        kind: 'text',
        nullable,
        longest: num(schema.maxLength),
        pattern: text(schema.pattern) || undefined,
      };
    case 'array':
      if (!isSchema(schema.items)) return { kind: 'any', nullable };
      return {
        kind: 'list',
        nullable,
        item: fieldOf(schema.items, root, depth + 1),
        least: num(schema.minItems) ?? 0,
        most: num(schema.maxItems) ?? 1000,
      };
    case 'object':
      return objectField(schema, root, depth, nullable);
    default:
      return { kind: 'any', nullable };
  }
}

function objectField(schema: Schema, root: Schema, depth: number, nullable: boolean): Field {
  if (isSchema(schema.properties)) {
    return { kind: 'object', nullable, fields: properties(schema, root, depth + 1) };
  }
  if (!isSchema(schema.additionalProperties)) return { kind: 'any', nullable };
  const value = fieldOf(schema.additionalProperties, root, depth + 1);
  return { kind: 'map', nullable, value, most: num(schema.maxProperties) ?? 1000 };
}

function union(schema: Schema, choices: readonly Schema[], root: Schema, depth: number): Field {
  const real = choices.filter((one) => one.type !== 'null');
  const nullable = real.length < choices.length;
  const [first] = real;
  if (first && real.length === 1) {
    const field = fieldOf({ ...schema, anyOf: undefined, oneOf: undefined, ...first }, root, depth);
    return { ...field, nullable: nullable || field.nullable };
  }
  if (real.length > 0 && real.every((one) => one.const !== undefined)) {
    return choice(
      real.map((one) => one.const),
      nullable,
    );
  }
  return { kind: scalarOr(real.map((one) => one.type)), nullable };
}

const scalarOr = (types: readonly unknown[]): 'scalar' | 'any' =>
  types.length > 0 && types.every((type) => type === 'number' || type === 'integer' || type === 'string')
    ? 'scalar'
    : 'any';

function choice(values: readonly unknown[], nullable: boolean): Field {
  const options = values.filter((value) => typeof value === 'string' || typeof value === 'number');
  return options.length === values.length ? { kind: 'choice', options, nullable } : { kind: 'any', nullable };
}

function numberField(schema: Schema, integer: boolean, nullable: boolean): NumberField {
  const [low, high] = list(schema.sensible);
  return {
    kind: 'number',
    integer,
    nullable,
    least: num(schema.minimum),
    above: num(schema.exclusiveMinimum),
    most: num(schema.maximum),
    below: num(schema.exclusiveMaximum),
    step: num(schema.step) ?? num(schema.multipleOf) ?? (integer ? 1 : 0.1),
    ...(typeof low === 'number' && typeof high === 'number' ? { sensible: [low, high] as const } : {}),
  };
}

/** With `$ref` and a single `allOf` followed; what stands beside them wins. */
function resolved(schema: Schema, root: Schema): Schema {
  let current = schema;
  for (let steps = 0; steps < DEEPEST; steps += 1) {
    const { $ref, allOf, ...rest } = current;
    const target = typeof $ref === 'string' ? lookUp($ref, root) : list(allOf).find(isSchema);
    if (!target) return rest;
    current = { ...target, ...rest };
  }
  return {};
}

function lookUp(ref: string, root: Schema): Schema | undefined {
  if (!ref.startsWith('#/')) return undefined;
  let found: unknown = root;
  for (const part of ref.slice(2).split('/')) {
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~');
    found = isSchema(found) ? found[name] : undefined;
  }
  return isSchema(found) ? found : undefined;
}

export type Limits = Pick<NumberField, 'least' | 'above' | 'most' | 'below' | 'integer'>;
export interface LimitProblem {
  code: 'whole' | 'between' | 'at_least' | 'at_most' | 'above' | 'below' | 'above_to';
  low?: number;
  high?: number;
}

/** Why a number is not allowed; the server would say the same, later. */
export function limitProblem(value: number, limits: Limits): LimitProblem | null {
  const { least, above, most, below } = limits;
  if (limits.integer && !Number.isInteger(value)) return { code: 'whole' };
  const low = (least !== undefined && value < least) || (above !== undefined && value <= above);
  const high = (most !== undefined && value > most) || (below !== undefined && value >= below);
  if (!low && !high) return null;
  if (least !== undefined && most !== undefined) return { code: 'between', low: least, high: most };
  if (above !== undefined && most !== undefined) return { code: 'above_to', low: above, high: most };
  if (low) return least !== undefined ? { code: 'at_least', low: least } : { code: 'above', low: above };
  return most !== undefined ? { code: 'at_most', high: most } : { code: 'below', high: below };
}

/** Pointers of a field and of everything in its value that has an input of its own. */
export function pointersIn(field: Field, value: unknown, at: string): string[] {
  const inside = (name: string | number, inner: Field, item: unknown) =>
    pointersIn(inner, item, at + pointerTo(name));
  if (field.kind === 'list' && Array.isArray(value)) {
    return [at, ...value.flatMap((item, index) => inside(index, field.item, item))];
  }
  if (field.kind === 'map' && isSchema(value)) {
    return [at, ...Object.entries(value).flatMap(([name, item]) => inside(name, field.value, item))];
  }
  if (field.kind === 'object' && (isSchema(value) || !field.nullable)) {
    const items = isSchema(value) ? value : {};
    return [at, ...field.fields.flatMap((one) => inside(one.name, one.field, items[one.name]))];
  }
  return [at];
}

/** What a new entry of a list or map begins with. */
export function blank(field: Field): unknown {
  if (field.nullable) return null;
  switch (field.kind) {
    case 'number': {
      const low = field.least ?? field.above ?? 0;
      return field.sensible?.[0] ?? Math.max(low, Math.min(field.integer ? 1 : field.step, field.most ?? 1));
    }
    case 'choice':
      return field.options[0] ?? null;
    case 'boolean':
      return false;
    case 'list':
      return [];
    case 'scalar':
      return 0;
    case 'map':
    case 'any':
      return {};
    case 'object':
      return Object.fromEntries(
        field.fields.map((one) => [one.name, one.default === undefined ? blank(one.field) : one.default]),
      );
    default:
      return '';
  }
}
