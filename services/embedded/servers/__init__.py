"""PostgreSQL, Valkey and Kafka as supervised child processes of this one."""
