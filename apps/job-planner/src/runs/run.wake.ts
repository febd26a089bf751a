import { Wake } from '@muster/service';
import { Injectable } from '@nestjs/common';

/** Lets runs of pipelines go on at once. */
@Injectable()
export class RunWake extends Wake {}
