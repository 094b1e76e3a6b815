import type { Source, SourceState } from '../model/source.ts';

/** The same source; `told` hears its state when it starts to run, and after every change. */
export function observed<T>(source: Source<T>, told: (state: SourceState<T>) => void): Source<T> {
  return {
    name: source.name,
    state: () => source.state(),
    run(signal, changed) {
      told(source.state());
      return source.run(signal, () => {
        told(source.state());
        changed();
      });
    },
  };
}
