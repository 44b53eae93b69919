ALTER TABLE `jobs` ADD `blueprint_version` integer DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE `jobs` ADD `error` text;--> statement-breakpoint
ALTER TABLE `jobs` ADD `fingerprint` text;--> statement-breakpoint
ALTER TABLE `jobs` ADD `parent_id` text;--> statement-breakpoint
CREATE INDEX `jobs_quarantined` ON `jobs` (`client`,`updated_at`,`job_id`) WHERE status = 'quarantined';
