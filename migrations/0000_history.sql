CREATE TABLE `job_events` (
	`id` text GENERATED ALWAYS AS (job_id || ':' || seq) VIRTUAL,
	`job_id` text NOT NULL,
	`seq` integer NOT NULL,
	`state` text NOT NULL,
	`event_type` text NOT NULL,
	`duration_ms` integer,
	`attempt_number` integer,
	`context_snapshot` text,
	`created_at` integer NOT NULL,
	`client` text NOT NULL,
	`blueprint` text NOT NULL,
	`status` text,
	`previous_state` text,
	`next_state` text,
	`worker_id` text,
	`task_id` text,
	`error` text,
	PRIMARY KEY(`job_id`, `seq`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `jobs` (
	`job_id` text PRIMARY KEY NOT NULL,
	`client` text NOT NULL,
	`blueprint` text NOT NULL,
	`status` text NOT NULL,
	`current_state` text NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`finished_at` integer,
	`last_seq` integer NOT NULL
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `jobs_by_client` ON `jobs` (`client`,`created_at`,`job_id`);--> statement-breakpoint
CREATE INDEX `jobs_alive` ON `jobs` (`job_id`) WHERE finished_at IS NULL;--> statement-breakpoint
CREATE TABLE `worker_events` (
	`id` text PRIMARY KEY NOT NULL,
	`worker_id` text NOT NULL,
	`event_type` text NOT NULL,
	`worker_info_snapshot` text,
	`created_at` integer NOT NULL
) WITHOUT ROWID;
