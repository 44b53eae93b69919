/**
 * Smooth weighted turns: over a while each gets its part by weight, and the turns of one are spread among those of the
 * others. A turn adds to each its weight, goes to the highest sum, and takes the weights of all from that one.
 */
export class Turns<Member extends { readonly weight: number }> {
  readonly #sums = new Map<Member, number>();

  /** Whose turn it is among those that are there now; undefined when nobody is. Ties go to the one named first. */
  next(present: readonly Member[]): Member | undefined {
    let total = 0;
    let chosen: Member | undefined;
    for (const member of present) {
      total += member.weight;
      this.#sums.set(member, this.#sum(member) + member.weight);
      if (chosen === undefined || this.#sum(member) > this.#sum(chosen)) chosen = member;
    }
    if (chosen !== undefined) this.#sums.set(chosen, this.#sum(chosen) - total);
    return chosen;
  }

  #sum(member: Member): number {
    return this.#sums.get(member) ?? 0;
  }
}
