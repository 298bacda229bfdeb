import type { Client, ResourceType } from '#client/client.ts';
import { isInvalid, isNotFound } from '#machinery/errors/status-error.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import { adoptionPatch, planClaim, releasePatch } from './ownership.ts';

interface ClaimRequest<Owner extends KubeObject, T extends KubeObject> {
  readonly client: Client;
  readonly ownerResource: ResourceType<Owner>;
  readonly owner: Owner;
  readonly resource: ResourceType<T>;
  readonly candidates: readonly T[];
  readonly matches: (candidate: T) => boolean;
}

/** Adopts and releases as planned; gives the objects that the owner controls now. */
export async function claimObjects<Owner extends KubeObject, T extends KubeObject>(
  request: ClaimRequest<Owner, T>,
): Promise<T[]> {
  const claim = planClaim(request.owner, request.candidates, request.matches);
  const owned = claim.owned;
  if (claim.adopt.length > 0 && (await mayAdopt(request))) {
    for (const object of claim.adopt) {
      const adopted = await patchOwners(request, object, adoptionPatch(request.owner, object));
      if (adopted !== undefined) owned.push(adopted);
    }
  }
  for (const object of claim.release) await patchOwners(request, object, releasePatch(request.owner, object));
  return owned;
}

// The cache may lag: an owner that is being deleted must not take new dependents with it.
async function mayAdopt<Owner extends KubeObject, T extends KubeObject>(
  request: ClaimRequest<Owner, T>,
): Promise<boolean> {
  const { name = '', namespace, uid } = request.owner.metadata;
  const live = await request.client.get(request.ownerResource, {
    name,
    ...(namespace === undefined ? {} : { namespace }),
  });
  return live.metadata.uid === uid && live.metadata.deletionTimestamp === undefined;
}

async function patchOwners<Owner extends KubeObject, T extends KubeObject>(
  { client, resource }: ClaimRequest<Owner, T>,
  object: T,
  body: unknown,
): Promise<T | undefined> {
  const { name = '', namespace } = object.metadata;
  try {
    return await client.patch(
      resource,
      { name, ...(namespace === undefined ? {} : { namespace }) },
      { type: 'strategic', body },
    );
  } catch (error) {
    // Gone, replaced by a namesake, or taken by another controller meanwhile: no longer a matter of this one.
    if (isNotFound(error) || isInvalid(error)) return undefined;
    throw error;
  }
}
