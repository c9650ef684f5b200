/** Imports a peer as seen from here, where they are installed. */
export const load = (name) => import(name);
