import { Wake } from '@muster/service';
import { Injectable } from '@nestjs/common';

/** Lets rollouts go on at once. */
@Injectable()
export class RolloutWake extends Wake {}
