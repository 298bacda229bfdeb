import { describe } from 'vitest';
import { canRunContainers, whyNoContainers } from './support/requirements.ts';
import { tellStoryOf } from './support/story.ts';

describe.skipIf(!canRunContainers)(`a first user's story with containerd${whyNoContainers}`, () => {
  tellStoryOf('containerd');
});
