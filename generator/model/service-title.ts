/** How a service is called in prose: `Auth`; a name without a vowel is read as an acronym: `SFS`. */
export function serviceTitle(service: string): string {
  const words = service.split(/[-_]/).filter((word) => word !== "");
  return words
    .map((word) =>
      /[aeiouy]/i.test(word) ? word.charAt(0).toUpperCase() + word.slice(1) : word.toUpperCase(),
    )
    .join(" ");
}
