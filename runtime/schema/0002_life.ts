/**
 * Lives of an entity: an id that is deleted and created again is another entity, and a snapshot must be able to say so.
 *
 * Immutable once released: its sha256 is in every ledger. A change is a new numbered file beside it.
 */
export const MESH_0002 = `ALTER TABLE mesh.entity_version ADD COLUMN born BIGINT;
COMMENT ON COLUMN mesh.entity_version.born IS
    'Version at which the present life of the entity began, told by snapshots beside its version: whoever knows an older version knows a former life. Never above version. NULL, or that of a former life, where the beginning had no event: a life that is not told apart destroys nothing, one that is made up does.';
`;
