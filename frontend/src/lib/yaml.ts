type Plain = string | number | boolean | null | readonly Plain[] | { readonly [key: string]: Plain };

/** Enough YAML 1.2 for a configuration: maps below each other, lists in one line. */
export function toYaml(value: { readonly [key: string]: Plain }, indent = ''): string {
  return Object.entries(value)
    .map(([key, item]) => {
      if (item !== null && typeof item === 'object' && !Array.isArray(item)) {
        const map = item as { readonly [key: string]: Plain };
        return Object.keys(map).length
          ? `${indent}${scalar(key)}:\n${toYaml(map, `${indent}  `)}`
          : `${indent}${scalar(key)}: {}`;
      }
      return `${indent}${scalar(key)}: ${flow(item)}`;
    })
    .join('\n');
}

/** With a comment beside what is null: the file stays the same to who reads it, and says what was taken. */
export function withUsed(yaml: string, used: Readonly<Record<string, string | undefined>> = {}): string {
  return yaml.replace(/^(\w+): null$/gm, (line, key: string) =>
    used[key] === undefined ? line : `${line}  # ${used[key]}`,
  );
}

/** JSON is YAML: what is nested in a list is written as that. */
function flow(item: Plain): string {
  if (!Array.isArray(item)) return scalar(item);
  return `[${item.map((one) => (typeof one === 'object' ? JSON.stringify(one) : scalar(one))).join(', ')}]`;
}

/** Without quotes a text must not read as a number, a boolean or null. */
const BARE = /^[A-Za-z_가-힣][\w가-힣 ./&-]*$/;
const DAY = /^\d{4}-\d{2}-\d{2}$/;
const OTHER = /^(true|false|null|yes|no|on|off)$/i;

function scalar(value: Plain): string {
  if (typeof value !== 'string') return String(value);
  const bare = (BARE.test(value) && !OTHER.test(value) && !value.endsWith(' ')) || DAY.test(value);
  return bare ? value : JSON.stringify(value);
}
