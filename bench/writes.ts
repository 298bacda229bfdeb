/** How `load.ts` writes pods that are there. */
export type WriteKind = 'update' | 'merge' | 'strategic' | 'json' | 'apply';

export interface WriteRequest {
  readonly method: string;
  readonly query: string;
  readonly type: string;
  readonly body: string;
}

/** Makes requests of one kind; each changes a label to its number. `template` is a pod named `NAME`, as JSON. */
export function writeRequest(how: WriteKind, template: string): (name: string, index: number) => WriteRequest {
  const label = (index: number) => JSON.stringify({ metadata: { labels: { round: `r${index}` } } });
  switch (how) {
    case 'update': {
      const labelled = template.replace('"tier":"load"', '"tier":"load","round":"ROUND"');
      return (name, index) => ({
        method: 'PUT',
        query: '',
        type: 'application/json',
        body: labelled.replace('"NAME"', `"${name}"`).replace('"ROUND"', `"r${index}"`),
      });
    }
    case 'merge':
      return (_, index) => patch('merge-patch+json', label(index));
    case 'strategic':
      return (_, index) => patch('strategic-merge-patch+json', label(index));
    case 'json':
      return (_, index) =>
        patch('json-patch+json', JSON.stringify([{ op: 'add', path: '/metadata/labels/round', value: `r${index}` }]));
    case 'apply':
      return (name, index) => ({
        ...patch(
          'apply-patch+yaml',
          JSON.stringify({
            apiVersion: 'v1',
            kind: 'Pod',
            metadata: { name, labels: { applied: `r${index}` }, annotations: { 'bench/applied': 'yes' } },
          }),
        ),
        query: '?fieldManager=bench',
      });
  }
}

function patch(type: string, body: string): WriteRequest {
  return { method: 'PATCH', query: '', type: `application/${type}`, body };
}
