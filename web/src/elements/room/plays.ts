//! Gives a media element its stream, and leaves it alone while it has it: set anew, it would begin anew, and lit sets
//! objects at every rendering.

import { noChange } from 'lit';
import { Directive, type ElementPart, PartType, type PartInfo, directive } from 'lit/directive.js';

class Plays extends Directive {
  constructor(part: PartInfo) {
    super(part);
    if (part.type !== PartType.ELEMENT) throw new Error('a media element plays, not a part of it');
  }

  override render(_: MediaStream | undefined): typeof noChange {
    return noChange;
  }

  override update({ element }: ElementPart, [stream]: [MediaStream | undefined]): typeof noChange {
    const media = element as HTMLMediaElement;
    const wanted = stream ?? null;
    if (media.srcObject !== wanted) media.srcObject = wanted;
    return noChange;
  }
}

export const plays = directive(Plays);
