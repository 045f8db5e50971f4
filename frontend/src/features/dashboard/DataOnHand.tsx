import { useTranslation } from 'react-i18next';
import type { SymbolInfo } from '@/api';
import { axisOf, CoverageBar } from '@/components/CoverageBar';
import { useFormat } from '@/lib/use-format';
import classes from './dashboard.module.css';

const SHOWN = 8;

export function DataOnHand({ symbols }: { symbols: SymbolInfo[] }) {
  const { t } = useTranslation();
  const f = useFormat();
  const axis = axisOf(symbols);
  const several = new Set(symbols.map((item) => item.source)).size > 1;
  return (
    <>
      <div className={classes.data}>
        {symbols.slice(0, SHOWN).map((item) => (
          <div key={`${item.source}/${item.symbol}`} style={{ display: 'contents' }}>
            <span className="strong small truncate">
              {item.symbol}
              {several && <span className="tiny dim"> {item.source}</span>}
            </span>
            <CoverageBar item={item} axis={axis} />
            <span className="num tiny dim right">{t('common.bars', { n: f.integer(item.bars) })}</span>
          </div>
        ))}
      </div>
      {symbols.length > SHOWN && (
        <p className="tiny dim" style={{ marginTop: 8 }}>
          {t('dashboard.data_more', { count: symbols.length - SHOWN })}
        </p>
      )}
    </>
  );
}
