import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';

export interface Names {
  /** Of a strategy; one that the dictionary does not know (a plug-in) keeps its own name, made readable. */
  strategy(type: string): string;
  /** Of a strategy's parameter. */
  parameter(name: string): string;
  stage(name: string | null): string;
  /** Why a metric has no value: the server's sentence, or its translation (`null_reason.<sentence as one word>`). */
  reason(sentence: string): string;
  /** A sentence or phrase of the server (descriptions, notes): its translation (`server_text`, Korean only), or itself. */
  said(sentence: string): string;
  /** Of a value that a parameter can have. */
  choice(value: string): string;
  /** Why a run failed, by its code; else the server's own sentence. */
  error(error: { code: string; message: string; details?: Record<string, unknown> }): string;
}

const readable = (name: string) => {
  const words = name.replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
};

const asKey = (sentence: string) =>
  sentence
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '_')
    .replaceAll(/^_|_$/g, '');

/** Words for what the server names: its lists may be longer than the dictionary. */
export function useNames(): Names {
  const { t, i18n } = useTranslation();
  return useMemo(() => {
    const word = (key: string, fallback: string, values: Record<string, unknown> = {}) =>
      i18n.exists(key) ? (t as (key: string, values: object) => string)(key, values) : fallback;
    return {
      strategy: (type) => word(`strategy.${type}`, readable(type)),
      parameter: (name) => word(`param.${name}`, readable(name)),
      stage: (name) => (name === null ? '' : word(`stage.${name}`, readable(name))),
      reason: (sentence) =>
        word(`null_reason.${asKey(sentence)}`, word(`server_text.${asKey(sentence)}`, sentence)),
      said: (sentence) => word(`server_text.${asKey(sentence)}`, sentence),
      choice: (value) => word(`enum.${value}`, value.replaceAll('_', ' ')),
      error: ({ code, message, details }) => word(`error_text.${code}`, message, details),
    };
  }, [t, i18n]);
}
