import type { Backtest } from '@/api';
import { Attempts } from '../log/Attempts';
import { SavedLog } from '../log/SavedLog';

export default function LogTab({ run }: { run: Backtest }) {
  return (
    <div className="stack">
      <Attempts id={run.backtest_id} />
      <SavedLog id={run.backtest_id} height={520} />
    </div>
  );
}
