CREATE TABLE `webhook_deliveries` (
	`id` text NOT NULL,
	`job_id` text NOT NULL,
	`client` text NOT NULL,
	`kind` text NOT NULL,
	`event` text NOT NULL,
	`url` text NOT NULL,
	`status` text NOT NULL,
	`attempts` integer NOT NULL,
	`last_status_code` integer,
	`last_error` text,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`next_attempt_at` integer,
	PRIMARY KEY(`job_id`, `id`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `webhook_deliveries_by_client` ON `webhook_deliveries` (`client`,`created_at`,`id`);
