import fc from 'fast-check';

// The same cases every time, so that a failure is there again tomorrow; `npm run test:long -- --seed N` tries others.
fc.configureGlobal({ seed: Number(process.env['TIPHYS_SEED'] ?? '1') });
