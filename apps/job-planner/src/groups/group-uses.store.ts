import type { GroupUse } from '@muster/contracts';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';

/** SQL: whether a device query somewhere in a JSON document names the group `$2`, in whichever case. */
const names = (document: string): string =>
  `jsonb_path_exists(lower((${document})::text)::jsonb, '$.**.group ? (@ == $id)', jsonb_build_object('id', $2::uuid))`;

/** What names groups of devices: one method a statement, each giving one that does. */
@Injectable()
export class GroupUsesStore {
  constructor(private readonly dataSource: DataSource) {}

  targetList(project: string, group: string): Promise<GroupUse[]> {
    return this.dataSource.query(
      `SELECT 'target-list' AS entity, l.id, l.name
       FROM target_list_device_group g JOIN target_list l ON l.project_id = g.project_id AND l.id = g.target_list_id
       WHERE g.project_id = $1 AND g.device_group_id = $2 LIMIT 1`,
      [project, group],
    );
  }

  stage(project: string, group: string): Promise<GroupUse[]> {
    return this.dataSource.query(
      `SELECT 'stage' AS entity, id, name FROM stage WHERE project_id = $1 AND ${names('rollout')} LIMIT 1`,
      [project, group],
    );
  }

  /** One of a run that goes on, which has not begun; it is as its stage was when the run began. */
  stageRun(project: string, group: string): Promise<GroupUse[]> {
    return this.dataSource.query(
      `SELECT 'stage-run' AS entity, s.id, '' AS name
       FROM pipeline_run p JOIN stage_run s ON s.project_id = p.project_id AND s.pipeline_run_id = p.id
       WHERE p.project_id = $1 AND p.due_at IS NOT NULL AND s.state = 'pending' AND ${names(`s.meta -> 'rollout'`)} LIMIT 1`,
      [project, group],
    );
  }

  /** One that has yet to find devices by it. Of operations device-state knows by itself. */
  rollout(project: string, group: string): Promise<GroupUse[]> {
    return this.dataSource.query(
      `SELECT r.family AS entity, r.id, coalesce(j.job_name, '') AS name
       FROM rollout r LEFT JOIN job j ON j.project_id = r.project_id AND j.id = r.id
       WHERE r.project_id = $1 AND (r.due_at IS NOT NULL OR r.at_rest AND r.wish = 'pause') AND r.wish IN ('run', 'pause')
         AND r.family <> 'operation' AND (NOT r.planned OR r.rescan_at IS NOT NULL)
         AND (${names(`r.spec -> 'waves'`)} OR ${names('j.target_query')} OR j.target_groups @> jsonb_build_array(jsonb_build_object('id', $2::uuid)))
       LIMIT 1`,
      [project, group],
    );
  }
}
