import type { Schema } from './types';

/** Codes that this client gives; all others come from the server (`/docs#problem-…`). */
export const UNREACHABLE = 'unreachable';

export interface ProblemFacts {
  status: number;
  code: string;
  title?: string;
  detail?: string;
  errors?: Schema<'FieldErrorOut'>[];
  details?: Record<string, unknown>;
  requestId?: string | null;
  retryAfter?: number | null;
}

/** An RFC 9457 problem, or its like for a server that did not answer (`status` 0, `code` "unreachable"). */
export class ApiProblem extends Error {
  readonly status: number;
  readonly code: string;
  readonly title: string;
  /** One sentence about this very case, in English. */
  readonly detail: string;
  /** The wrong fields by JSON pointer. */
  readonly errors: readonly Schema<'FieldErrorOut'>[];
  readonly details: Readonly<Record<string, unknown>>;
  readonly requestId: string | null;
  /** Seconds after which trying again may help. */
  readonly retryAfter: number | null;

  constructor(facts: ProblemFacts) {
    super(facts.detail ?? facts.title ?? facts.code);
    this.name = 'ApiProblem';
    this.status = facts.status;
    this.code = facts.code;
    this.title = facts.title ?? facts.code;
    this.detail = facts.detail ?? '';
    this.errors = facts.errors ?? [];
    this.details = facts.details ?? {};
    this.requestId = facts.requestId ?? null;
    this.retryAfter = facts.retryAfter ?? null;
  }

  static unreachable(): ApiProblem {
    return new ApiProblem({ status: 0, code: UNREACHABLE });
  }

  /** From an answer that is no success; `body` is what could be read of it. */
  static from(response: Response, body: unknown): ApiProblem {
    const given = isProblem(body) ? body : null;
    const wait = Number(response.headers.get('retry-after'));
    return new ApiProblem({
      status: response.status,
      code: given?.code ?? `http_${response.status}`,
      title: given?.title ?? response.statusText,
      detail: given?.detail,
      errors: given?.errors,
      details: given?.details,
      requestId: given?.request_id ?? response.headers.get('x-request-id'),
      retryAfter: Number.isFinite(wait) && wait > 0 ? wait : null,
    });
  }

  /** The message for one field, e.g. `/costs/slippage_bps`; those below it count as well. */
  at(pointer: string): string | undefined {
    return this.errors.find((e) => e.pointer === pointer || e.pointer.startsWith(`${pointer}/`))?.message;
  }
}

export const isUnreachable = (error: unknown): boolean =>
  error instanceof ApiProblem && error.code === UNREACHABLE;

function isProblem(body: unknown): body is Schema<'Problem'> {
  return typeof body === 'object' && body !== null && typeof (body as { code?: unknown }).code === 'string';
}
