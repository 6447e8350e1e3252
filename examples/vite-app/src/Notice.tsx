// An error for the user to read: tabhub's have a code, and say whether the work was applied.
import { HubError } from 'tabhub';

export function Notice({ error }: { error: unknown }) {
  return (
    <div className="notice" role="alert">
      {error instanceof HubError && <code>{error.code}, {error.outcome}</code>}
      <p>{error instanceof Error ? error.message : String(error)}</p>
    </div>
  );
}
