-- The rows hold another log than the one that is there now: only a rebuild helps.
alter table offset_zero.projection_versions
    drop constraint projection_versions_state_check,
    add constraint projection_versions_state_check
        check (state in ('building', 'ready', 'live', 'retired', 'failed', 'diverged'));
