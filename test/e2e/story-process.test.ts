import { describe } from 'vitest';
import { tellStoryOf } from './support/story.ts';

describe("a first user's story with the process runtime", () => {
  tellStoryOf('process');
});
