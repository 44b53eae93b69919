CREATE TABLE `job_logs` (
	`job_id` text NOT NULL,
	`at` integer NOT NULL,
	`task_id` text NOT NULL,
	`line` text NOT NULL,
	`level` text NOT NULL,
	`message` text NOT NULL,
	`fields` text,
	`worker_id` text NOT NULL,
	`attempt` integer NOT NULL,
	PRIMARY KEY(`job_id`, `at`, `task_id`, `line`)
) WITHOUT ROWID;
